//! [`Record`]: what a transaction that changes several words leaves in the journal, and how it is read back.

use super::layout::{ENTRY, Layout, RECORD_HEADER};
use xxhash_rust::xxh3::xxh3_64_with_seed;
use zerocopy::{Immutable, IntoBytes};

/// Records have numbers up to this one. None is used twice, and a higher one was not written by us.
pub(crate) const LAST_NUMBER: u64 = (1 << 62) - 1;

/// A published word and the value it is to have, as an entry of a record.
#[derive(Clone, Copy, Debug, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct Change {
    /// Offset of the word, in bytes.
    pub at: usize,
    pub value: u64,
}

/// Of the entries; their number is part of it, as the length.
pub(crate) fn checksum(entries: &[u8], number: u64, region_id: u64) -> u64 {
    xxh3_64_with_seed(entries, region_id ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A valid record, as recovery found it.
#[derive(Debug)]
pub(crate) struct Record {
    pub number: u64,
    /// Where the record lies, in bytes.
    pub at: usize,
    pub entries: Vec<(usize, u64)>,
}

/// The record with this number in the slot at `at`, if it is whole.
pub(crate) fn read_record(
    layout: &Layout,
    at: usize,
    number: u64,
    checked: bool,
    load: &dyn Fn(usize) -> u64,
) -> Option<Record> {
    let count = load(at + 8);
    if count == 0 || count > layout.journal_words as u64 {
        return None;
    }
    let mut bytes = Vec::with_capacity(count as usize * ENTRY);
    let mut entries = Vec::with_capacity(count as usize);
    for entry in (0..count as usize).map(|index| at + RECORD_HEADER + index * ENTRY) {
        let (word, value) = (load(entry), load(entry + 8));
        bytes.extend_from_slice(&word.to_le_bytes());
        bytes.extend_from_slice(&value.to_le_bytes());
        entries.push((word as usize, value));
    }
    (!checked || load(at + 16) == checksum(&bytes, number, layout.region_id)).then_some(Record {
        number,
        at,
        entries,
    })
}
