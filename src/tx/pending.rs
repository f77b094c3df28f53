//! The words that a transaction will change.

use super::journal::Change;
use crate::medium::Origin;
use std::collections::HashMap;

/// Up to here a search is faster than a hash.
const SMALL: usize = 16;

/// Offsets of words, each with the value it is to have. Kept from one transaction to the next, so that
/// nothing is allocated in the steady state.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    changes: Vec<Change>,
    /// Where each offset stands in `changes`, once there are more than [`SMALL`].
    index: HashMap<usize, usize>,
}

impl Pending {
    pub(crate) fn get(&self, at: usize) -> Option<u64> {
        self.find(at).map(|index| self.changes[index].value)
    }

    pub(crate) fn set(&mut self, at: usize, value: u64, origin: Origin) {
        match self.find(at) {
            Some(index) => self.changes[index] = Change { at, value, origin },
            None => {
                self.changes.push(Change { at, value, origin });
                let len = self.changes.len();
                if len == SMALL + 1 {
                    self.index
                        .extend(self.changes.iter().enumerate().map(|(index, change)| (change.at, index)));
                } else if len > SMALL {
                    self.index.insert(at, len - 1);
                }
            }
        }
    }

    fn find(&self, at: usize) -> Option<usize> {
        match self.changes.len() {
            0..=SMALL => self.changes.iter().position(|change| change.at == at),
            _ => self.index.get(&at).copied(),
        }
    }

    /// All changes, in no order.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.changes.clear();
        self.index.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::panic::Location;

    proptest! {
        #[test]
        fn it_is_a_map(steps in proptest::collection::vec((0_usize..60, any::<u64>()), 0..200)) {
            let mut pending = Pending::default();
            for round in 0..2 {
                let mut model = HashMap::new();
                for &(at, value) in &steps {
                    pending.set(at * 8, value.wrapping_add(round), Location::caller());
                    model.insert(at * 8, value.wrapping_add(round));
                    for at in 0..60 {
                        prop_assert_eq!(pending.get(at * 8), model.get(&(at * 8)).copied());
                    }
                }
                prop_assert_eq!(pending.changes().len(), model.len());
                pending.clear();
                prop_assert!(pending.is_empty() && pending.get(0).is_none());
            }
        }
    }
}
