//! [`Versions`]: the values that were stored to a unit of memory, and which of them may still be found there.

use super::unit::{Open, Unit};
use crate::observe::Origin;
use std::hash::{Hash, Hasher};

/// A value that was stored, and the line of the program that stored it.
#[derive(Clone, Copy, Debug)]
struct Version<V> {
    value: V,
    /// `None` for the value that was there at the start.
    origin: Option<Origin>,
    /// Position in the order of all stores.
    sequence: u64,
}

/// The versions of a unit that memory may still hold, oldest first.
#[derive(Clone, Debug)]
pub(super) struct Versions<V> {
    versions: Vec<Version<V>>,
    /// How many of the first versions are alternatives, of which an earlier crash left one.
    alternatives: usize,
    /// Index of the oldest version that memory may hold. If it is an alternative, memory may hold any of them.
    lower: usize,
}

impl<V: Copy + PartialEq> Versions<V> {
    /// Memory durably holds this value.
    pub(super) fn certain(value: V) -> Self {
        Versions { versions: vec![Version { value, origin: None, sequence: 0 }], alternatives: 1, lower: 0 }
    }

    /// The newest version: what a load finds.
    pub(super) fn last(&self) -> &V {
        &self.versions.last().expect("there is always a version").value
    }

    /// A store. Returns the index of its version.
    pub(super) fn push(&mut self, value: V, origin: Origin, sequence: u64) -> usize {
        self.versions.push(Version { value, origin: Some(origin), sequence });
        self.versions.len() - 1
    }

    /// Index of the version that a flush writes back. `None` while that is one of several alternatives.
    pub(super) fn flushed(&self) -> Option<usize> {
        let last = self.versions.len() - 1;
        (last >= self.alternatives || self.alternatives == 1).then_some(last)
    }

    /// Version `to` is durable: nothing older can be found any more.
    pub(super) fn raise(&mut self, to: usize) {
        self.lower = self.lower.max(to);
    }

    /// The newest version is durable: the CPU caches are persistent.
    pub(super) fn raise_to_last(&mut self) {
        self.raise(self.versions.len() - 1);
    }

    /// What is visible is made durable, where it is known what that is.
    pub(super) fn sync(&mut self) {
        self.lower = self.flushed().unwrap_or(self.lower);
    }

    /// The versions that a power failure may leave.
    fn survivors(&self) -> &[Version<V>] {
        match self.lower < self.alternatives {
            true => &self.versions,
            false => &self.versions[self.lower..],
        }
    }

    /// The state after a power failure: memory holds one of the survivors.
    pub(super) fn crashed(&self) -> Self {
        let mut versions = self.survivors().to_vec();
        if versions.iter().all(|version| version.value == versions[0].value) {
            versions.drain(..versions.len() - 1);
        }
        Versions { alternatives: versions.len(), versions, lower: 0 }
    }

    /// The choice among the alternatives: each value once, in the order of its last store.
    pub(super) fn open(&self, unit: Unit, words: impl Fn(&V) -> Vec<u64>) -> Open {
        let mut last: Vec<&Version<V>> = Vec::new();
        for version in &self.versions {
            last.retain(|other| other.value != version.value);
            last.push(version);
        }
        let index = |value: &V| last.iter().position(|version| version.value == *value).unwrap_or(0);
        Open {
            unit,
            values: last.iter().map(|version| words(&version.value)).collect(),
            origins: last.iter().map(|version| version.origin).collect(),
            stored: self.versions.iter().map(|version| (version.sequence, index(&version.value))).collect(),
        }
    }

    /// Whether a crash left several alternatives, and nothing has been stored since.
    pub(super) fn undecided(&self) -> bool {
        self.alternatives > 1 && self.versions.len() == self.alternatives
    }

    /// Memory turns out to hold this value.
    pub(super) fn decide(&mut self, value: V) {
        self.versions.retain(|version| version.value == value);
        self.versions.drain(..self.versions.len() - 1);
        self.alternatives = 1;
        self.lower = 0;
    }

    /// Hashes all that tells this state from others; `hash` hashes a value.
    pub(super) fn hash_values(&self, state: &mut impl Hasher, hash: impl Fn(&V) -> u64) {
        (self.versions.len(), self.alternatives, self.lower).hash(state);
        self.versions.iter().for_each(|version| hash(&version.value).hash(state));
    }

    /// Whether this is no more than the durable value `base`.
    pub(super) fn is_plain(&self, base: &V) -> bool {
        self.versions.len() == 1 && self.versions[0].value == *base
    }
}

impl<const N: usize> Versions<[u64; N]> {
    /// The versions of each word by itself.
    pub(super) fn split(&self) -> [Versions<u64>; N] {
        std::array::from_fn(|i| Versions {
            versions: self
                .versions
                .iter()
                .map(|v| Version { value: v.value[i], origin: v.origin, sequence: v.sequence })
                .collect(),
            alternatives: self.alternatives,
            lower: self.lower,
        })
    }
}
