//! [`Record`]: what a transaction that changes several words, or publishes objects that no fence has covered, leaves in
//! the journal, and how it is read back.
//!
//! ```text
//! 0      number
//! 8      entries (low 32 bits) and extents (high 32 bits)
//! 16     checksum of what follows, XXH3-64
//! 24     entries: 8 bytes where a word lies, 8 bytes its value
//! …      if there are extents: a hash of their bytes, and a word for each
//! ```

use super::content::{self, Content};
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

/// A record's second word.
pub(crate) fn counts(entries: usize, extents: usize) -> u64 {
    entries as u64 | (extents as u64) << 32
}

/// Bytes of a record with so many entries and extents.
pub(crate) fn record_len(entries: usize, extents: usize) -> usize {
    RECORD_HEADER + ENTRY * entries + if extents == 0 { 0 } else { 8 + 8 * extents }
}

/// Checksum of a record's entries, and of its content behind them: a hash and a word for each extent, or nothing. How
/// many there are is covered as the lengths of the two.
pub(crate) fn checksum(entries: &[u8], content: &[u8], number: u64, region_id: u64) -> u64 {
    let words = xxh3_64_with_seed(entries, region_id ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    if content.is_empty() { words } else { xxh3_64_with_seed(content, words) }
}

/// A well-formed record, as recovery found it.
#[derive(Debug)]
pub(crate) struct Record {
    pub number: u64,
    /// Where the record lies, in bytes.
    pub at: usize,
    pub entries: Vec<(usize, u64)>,
    /// What it vouches for.
    pub content: Option<Content>,
}

/// The record with this number in the slot at `at`, if it is well-formed.
pub(crate) fn read_record(
    layout: &Layout,
    at: usize,
    number: u64,
    checked: bool,
    load: &dyn Fn(usize) -> u64,
) -> Option<Record> {
    let counts = load(at + 8);
    let (entries, extents) = ((counts & 0xffff_ffff) as usize, (counts >> 32) as usize);
    let room = RECORD_HEADER + ENTRY * layout.journal_words;
    if entries == 0 || entries > layout.journal_words || record_len(entries, extents) > room {
        return None;
    }
    let read = |from: usize, words: usize| -> Vec<u64> {
        (0..words).map(|index| load(at + from + 8 * index)).collect()
    };
    let words = read(RECORD_HEADER, 2 * entries);
    let content = match extents {
        0 => Vec::new(),
        extents => read(RECORD_HEADER + ENTRY * entries, 1 + extents),
    };
    let found = checksum(words.as_bytes(), content.as_bytes(), number, layout.region_id);
    (!checked || load(at + 16) == found).then(|| Record {
        number,
        at,
        entries: words.chunks_exact(2).map(|entry| (entry[0] as usize, entry[1])).collect(),
        content: content.split_first().map(|(&hash, extents)| Content {
            hash,
            extents: extents.iter().map(|&word| content::unpack(word)).collect(),
        }),
    })
}
