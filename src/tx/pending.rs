//! The words that a transaction will change.

use super::journal::Change;
use crate::medium::Origin;

/// Up to here a search is faster than a table.
const SMALL: usize = 8;

/// Offsets of words, each with the value it is to have. Kept from one transaction to the next, so that
/// nothing is allocated in the steady state.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    changes: Vec<Change>,
    index: Index,
}

impl Pending {
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<u64> {
        self.find(at).map(|index| self.changes[index].value)
    }

    #[inline]
    pub(crate) fn set(&mut self, at: usize, value: u64, origin: Origin) {
        let change = Change { at, value, origin };
        match self.find(at) {
            Some(index) => self.changes[index] = change,
            None => {
                self.changes.push(change);
                if self.changes.len() > SMALL {
                    self.index.add(&self.changes);
                }
            }
        }
    }

    #[inline]
    fn find(&self, at: usize) -> Option<usize> {
        match self.changes.len() {
            0..=SMALL => self.changes.iter().position(|change| change.at == at),
            _ => self.index.find(&self.changes, at),
        }
    }

    /// All changes, each offset once, for the commit to sort and thin out; nothing is looked up after that.
    pub(crate) fn changes(&mut self) -> &mut Vec<Change> {
        &mut self.changes
    }

    pub(crate) fn clear(&mut self) {
        self.changes.clear();
        self.index.clear();
    }
}

/// Where the change of each offset stands: a table of twice as many places at least, searched from the offset's
/// own place on. Places of an earlier round count as empty, so that clearing costs nothing.
#[derive(Debug, Default)]
struct Index {
    /// Round, and index into the changes; a power of two of them.
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

    #[inline]
    fn find(&self, changes: &[Change], at: usize) -> Option<usize> {
        let mask = self.places.len() - 1;
        let mut place = self.home(at);
        loop {
            let (round, index) = self.places[place & mask];
            if round != self.round {
                return None;
            }
            if changes[index as usize].at == at {
                return Some(index as usize);
            }
            place += 1;
        }
    }

    /// Takes in the changes that it does not know yet.
    #[inline]
    fn add(&mut self, changes: &[Change]) {
        if self.places.len() < 2 * changes.len() {
            self.places = vec![(0, 0); (4 * changes.len()).next_power_of_two()];
            (self.round, self.known) = (1, 0);
        }
        let mask = self.places.len() - 1;
        for (index, change) in changes.iter().enumerate().skip(self.known) {
            let mut place = self.home(change.at);
            while self.places[place & mask].0 == self.round {
                place += 1;
            }
            self.places[place & mask] = (self.round, index as u32);
        }
        self.known = changes.len();
    }

    #[inline]
    fn clear(&mut self) {
        if self.known == 0 {
            return;
        }
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
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::panic::Location;

    proptest! {
        #[test]
        fn it_is_a_map(
            steps in proptest::collection::vec((0_usize..60, any::<u64>()), 0..200),
            stride in prop::sample::select(vec![8, 64, 512, 4096]),
            to_go in 0_u32..3,
        ) {
            let mut pending = Pending::default();
            for round in 0..4 {
                let mut model = HashMap::new();
                for &(at, value) in &steps {
                    pending.set(at * stride, value.wrapping_add(round), Location::caller());
                    model.insert(at * stride, value.wrapping_add(round));
                    for at in 0..60 {
                        prop_assert_eq!(pending.get(at * stride), model.get(&(at * stride)).copied());
                    }
                }
                prop_assert_eq!(pending.changes().len(), model.len());
                pending.clear();
                prop_assert!(pending.changes().is_empty() && pending.get(0).is_none());
                if round == 0 && !pending.index.places.is_empty() {
                    pending.index.round = u32::MAX - to_go; // soon it begins anew
                }
            }
        }
    }
}
