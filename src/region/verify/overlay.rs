//! [`Overlay`]: the journal's valid records, through which the walk reads.

use crate::format::record::Record;
use std::cell::Cell;
use std::collections::BTreeMap;

/// The journal's records as the walk sees them: the word at an offset has this value.
#[derive(Default)]
pub(crate) struct Overlay {
    /// In the order of their offsets, so that those of one object are found without a look at all others.
    words: BTreeMap<usize, Entry>,
}

struct Entry {
    value: u64,
    /// Where the entry lies in the journal, for errors.
    record: usize,
    /// A link or word of a reachable object has this offset.
    hit: Cell<bool>,
}

impl Overlay {
    pub(crate) fn new(records: &[Record]) -> Self {
        let entries = records.iter().flat_map(|record| {
            let entry = |&(at, value)| (at, Entry { value, record: record.at, hit: Cell::new(false) });
            record.entries.iter().map(entry)
        });
        Overlay { words: entries.collect() }
    }

    /// Marks all entries for words in this range as allowed.
    pub(super) fn hit_all(&self, range: std::ops::Range<usize>) {
        let inside = self.words.range(range).filter(|(at, _)| at.is_multiple_of(8));
        inside.for_each(|(_, entry)| entry.hit.set(true));
    }

    pub(super) fn get(&self, at: usize) -> Option<u64> {
        if self.words.is_empty() {
            return None;
        }
        self.words.get(&at).map(|entry| {
            entry.hit.set(true);
            entry.value
        })
    }

    pub(super) fn has(&self, at: usize) -> bool {
        self.words.contains_key(&at)
    }

    /// The entries that are for no link or word that was read: the offset, and where the entry lies.
    pub(super) fn not_hit(&self) -> impl Iterator<Item = (usize, usize)> {
        self.words.iter().filter(|(_, entry)| !entry.hit.get()).map(|(&at, entry)| (at, entry.record))
    }
}
