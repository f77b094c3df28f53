//! The words that a transaction will change.

use crate::format::record::Change;
use crate::medium::MediumImpl;
use crate::observe::Origin;

/// Up to here a search is faster than a table.
const SMALL: usize = 8;

/// Offsets of words, each with the value it is to have. Kept from one transaction to the next, so that
/// nothing is allocated in the steady state.
///
/// Most code writes to rising offsets, field by field. Then there is nothing to search for before a word is added,
/// nothing to sort at commit, and no table.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    changes: Vec<Change>,
    /// Some offset is lower than one before it.
    scattered: bool,
    /// Knows all changes if they are scattered and more than [`SMALL`].
    index: Index,
    /// Where each change was asked for, oldest first. Empty unless the medium is observed.
    origins: Vec<(usize, Origin)>,
}

impl Pending {
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<u64> {
        let index = match self.changes.len() {
            0..=SMALL => self.changes.iter().position(|change| change.at == at),
            _ if self.scattered => self.index.find(&self.changes, at).ok(),
            _ => self.changes.binary_search_by_key(&at, |change| change.at).ok(),
        };
        index.map(|index| self.changes[index].value)
    }

    /// Adds a change if that takes a few instructions only: the offset is the highest, and there is memory for it.
    /// The explorer, which wants to know where changes come from, takes the other way always; `tests/api/attack/words.rs`
    /// takes this one.
    #[inline(always)]
    #[must_use]
    pub(crate) fn set_next<M: MediumImpl>(&mut self, at: usize, value: u64) -> bool {
        let next = !M::OBSERVED
            && !self.scattered
            && self.changes.last().is_none_or(|last| last.at < at)
            && self.changes.len() < self.changes.capacity();
        if next {
            self.changes.push(Change { at, value });
        }
        next
    }

    /// Adds a change, or gives the word's change another value.
    pub(crate) fn set<M: MediumImpl>(&mut self, at: usize, value: u64, origin: Origin) {
        if M::OBSERVED {
            self.origins.push((at, origin));
        }
        if !self.scattered && self.changes.last().is_none_or(|last| last.at < at) {
            self.changes.push(Change { at, value });
        } else {
            self.set_scattered(at, value);
        }
    }

    /// Where the change of the word at `at` was asked for; `other` unless the medium is observed.
    #[inline]
    pub(crate) fn origin<M: MediumImpl>(&self, at: usize, other: Origin) -> Origin {
        if !M::OBSERVED {
            return other;
        }
        self.origins.iter().rev().find(|origin| origin.0 == at).map_or(other, |origin| origin.1)
    }

    /// Takes the parts of a change: a whole one would be put together on the stack, word by word, and copied from
    /// there by wider loads. Such a load waits until the stores that it needs are in the cache, and they wait
    /// behind every flush before them: it would cost as much as another fence.
    fn set_scattered(&mut self, at: usize, value: u64) {
        let change = Change { at, value };
        let found = match self.changes.len() {
            0..=SMALL => self.changes.iter().position(|other| other.at == change.at),
            _ if self.scattered => match self.index.find(&self.changes, change.at) {
                Ok(index) => Some(index),
                Err(place) if self.index.has_room() => {
                    self.index.insert(place, self.changes.len());
                    self.changes.push(change);
                    return;
                }
                Err(_) => None,
            },
            _ => self.changes.binary_search_by_key(&change.at, |other| other.at).ok(),
        };
        match found {
            Some(index) => self.changes[index] = change,
            None => {
                self.scattered = true;
                self.changes.push(change);
                if self.changes.len() > SMALL {
                    self.index.build(&self.changes);
                }
            }
        }
    }

    /// All changes, each offset once.
    #[inline]
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The changes in the order of their offsets, for the commit.
    #[inline]
    pub(crate) fn sorted(&mut self) -> Sorted<'_> {
        if self.scattered {
            self.changes.sort_unstable_by_key(|change| change.at);
        }
        Sorted { pending: self }
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.changes.clear();
        self.origins.clear();
        if self.scattered {
            self.scattered = false;
            self.index.clear();
        }
    }
}

/// The words of a commit. Changes may be taken out and added, of which the table for look-ups knows nothing: so there is
/// no `get`.
pub(crate) struct Sorted<'p> {
    pending: &'p mut Pending,
}

impl Sorted<'_> {
    #[inline]
    pub(crate) fn changes(&self) -> &[Change] {
        &self.pending.changes
    }

    #[inline]
    pub(crate) fn changes_mut(&mut self) -> &mut Vec<Change> {
        &mut self.pending.changes
    }

    /// A change of a word that has none yet.
    pub(crate) fn add<M: MediumImpl>(&mut self, at: usize, value: u64, origin: Origin) {
        if M::OBSERVED {
            self.pending.origins.push((at, origin));
        }
        self.pending.changes.push(Change { at, value });
    }

    /// See [`Pending::origin`].
    #[inline]
    pub(crate) fn origin<M: MediumImpl>(&self, at: usize, other: Origin) -> Origin {
        self.pending.origin::<M>(at, other)
    }

    /// Gives the changes away, for others whose memory is used again.
    #[inline]
    pub(crate) fn exchange(&mut self, changes: &mut Vec<Change>) {
        std::mem::swap(&mut self.pending.changes, changes);
    }
}

/// Where the change of each offset stands: a table of twice as many places at least, searched from the offset's
/// own place on. Places of an earlier round count as empty, so that clearing costs nothing.
#[derive(Debug, Default)]
struct Index {
    /// Round, and index into the changes; none, or a power of two of them.
    places: Vec<(u32, u32)>,
    round: u32,
    /// How many changes the table knows.
    known: usize,
}

impl Index {
    /// The offset's own place: the high bits of a product, which depend on all of its bits.
    #[inline]
    fn home(&self, at: usize) -> usize {
        let bits = self.places.len().trailing_zeros();
        ((at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as usize
    }

    /// The index of the change of this offset, or the place where it would be noted.
    #[inline]
    fn find(&self, changes: &[Change], at: usize) -> Result<usize, usize> {
        let mask = self.places.len() - 1;
        let mut place = self.home(at);
        loop {
            let (round, index) = self.places[place & mask];
            if round != self.round {
                return Err(place & mask);
            }
            if changes[index as usize].at == at {
                return Ok(index as usize);
            }
            place += 1;
        }
    }

    #[inline]
    fn has_room(&self) -> bool {
        2 * (self.known + 1) <= self.places.len()
    }

    #[inline]
    fn insert(&mut self, place: usize, index: usize) {
        self.places[place] = (self.round, index as u32);
        self.known += 1;
    }

    /// Takes in all changes, in a larger table if need be.
    fn build(&mut self, changes: &[Change]) {
        self.clear();
        if self.places.len() < 2 * changes.len() {
            self.places = vec![(0, 0); (4 * changes.len()).next_power_of_two()];
            self.round = 1;
        }
        for (index, change) in changes.iter().enumerate() {
            match self.find(&changes[..index], change.at) {
                Ok(other) => unreachable!("changes {other} and {index} are of one offset"),
                Err(place) => self.insert(place, index),
            }
        }
    }

    /// Forgets all changes.
    fn clear(&mut self) {
        self.known = 0;
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.places.fill((0, 0));
            self.round = 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::medium::Emulated;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::panic::Location;

    proptest! {
        #[test]
        fn it_is_a_map(
            steps in proptest::collection::vec((0_usize..60, any::<u64>()), 0..200),
            // So many rise, as most code writes them.
            rising in 0_usize..60,
            stride in prop::sample::select(vec![8, 64, 512, 4096]),
            to_go in 0_u32..3,
        ) {
            let mut pending = Pending::default();
            for round in 0..4 {
                let mut model = HashMap::new();
                for &(at, value) in (0..rising).map(|at| (at, at as u64)).collect::<Vec<_>>().iter().chain(&steps) {
                    let (at, value) = (at * stride, value.wrapping_add(round));
                    if !pending.set_next::<Emulated>(at, value) {
                        pending.set::<Emulated>(at, value, Location::caller());
                    }
                    model.insert(at, value);
                    for at in 0..60 {
                        prop_assert_eq!(pending.get(at * stride), model.get(&(at * stride)).copied());
                    }
                }
                let sorted: Vec<usize> = pending.sorted().changes().iter().map(|change| change.at).collect();
                let mut expected: Vec<usize> = model.keys().copied().collect();
                expected.sort();
                prop_assert_eq!(sorted, expected);
                pending.clear();
                prop_assert!(pending.changes().is_empty() && pending.get(0).is_none());
                if round == 0 && !pending.index.places.is_empty() {
                    pending.index.round = u32::MAX - to_go; // soon it begins anew
                }
            }
        }
    }
}
