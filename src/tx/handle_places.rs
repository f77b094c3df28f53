//! [`HandlePlaces`]: where each handle was made that has found no owner yet, for the error that it leaves.
//!
//! Kept by builds with debug assertions only, so that in others no transaction spends an instruction on it.

use crate::observe::Origin;

/// More are not remembered: a search among them is short.
const MOST: usize = 1024;

/// Addresses of objects without an owner, each with the place of its `alloc`, `take`, …; the oldest first.
#[derive(Default)]
pub(super) struct HandlePlaces {
    open: Vec<(usize, Origin)>,
}

impl HandlePlaces {
    pub fn opened(&mut self, address: usize, origin: Origin) {
        if self.open.len() < MOST {
            self.open.push((address, origin));
        }
    }

    pub fn owned(&mut self, address: usize) {
        // Mostly the last one.
        if let Some(index) = self.open.iter().rposition(|open| open.0 == address) {
            self.open.remove(index);
        }
    }

    /// The place of the oldest.
    pub fn first(&self) -> Option<Origin> {
        self.open.first().map(|open| open.1)
    }

    pub fn clear(&mut self) {
        self.open.clear();
    }
}
