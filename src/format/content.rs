//! What a record vouches for besides its own words: the content of its transaction, as extents of the region and a
//! hash of the bytes there.
//!
//! The hash of a record's content is the sum of its extents' hashes, so that each can be hashed when it is flushed, in
//! any order. An extent's place, its first word and an unseeded XXH3-64 of its other bytes are folded into the region's
//! id: so these bytes may lie elsewhere than the first word while they are hashed, and no secret is derived from a seed,
//! which takes XXH3-64 as long as 200 bytes.

use super::block::Extent;
use super::hash::{fold, hash_words};
use super::layout::MAX_LEN;
use xxhash_rust::xxh3::xxh3_64;

/// Bits of an extent's word that say where it begins; those above say how many bytes it has.
const PLACE_BITS: u32 = 40;
/// An extent of a record has fewer bytes than this.
pub(crate) const MAX_EXTENT: usize = 1 << (64 - PLACE_BITS);

static_assertions::const_assert!(MAX_LEN < 1 << PLACE_BITS);

/// Hash of an extent at `at`, in bytes from the region's start, whose first word is `first` and whose other bytes are
/// `rest`.
#[inline]
pub(crate) fn hash(region_id: u64, at: usize, first: u64, rest: &[u8]) -> u64 {
    fold(region_id, [at as u64, first, xxh3_64(rest)])
}

/// The content of a record, as it lies in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub hash: u64,
    /// In the order of their places; none overlaps another.
    pub extents: Vec<Extent>,
}

impl Content {
    /// Whether these bytes are there; `load` reads the word at an offset.
    pub(crate) fn is_there(&self, region_id: u64, load: &dyn Fn(usize) -> u64) -> bool {
        let hash = self.extents.iter().fold(0_u64, |sum, extent| {
            let from = extent.start + 8;
            let rest = hash_words(0, extent.len - 8, &|at| load(from + at));
            sum.wrapping_add(fold(region_id, [extent.start as u64, load(extent.start), rest]))
        });
        hash == self.hash
    }

    /// The first extent that is none: outside `heap`, in bytes, or not behind the one before it.
    pub(crate) fn misplaced(&self, heap: std::ops::Range<usize>) -> Option<Extent> {
        let mut from = heap.start;
        self.extents.iter().copied().find(|extent| {
            let fits = extent.start.is_multiple_of(8)
                && extent.len >= 8
                && extent.start >= from
                && extent.range().end <= heap.end;
            from = extent.range().end;
            !fits
        })
    }
}

/// An extent as a word of a record.
pub(crate) fn pack(extent: Extent) -> u64 {
    debug_assert!(extent.len < MAX_EXTENT && extent.start as u64 <= MAX_LEN);
    extent.start as u64 | (extent.len as u64) << PLACE_BITS
}

pub(crate) fn unpack(word: u64) -> Extent {
    Extent { start: (word & ((1 << PLACE_BITS) - 1)) as usize, len: (word >> PLACE_BITS) as usize }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A word of made-up memory.
    fn word(memory: &[u8], at: usize) -> u64 {
        let mut word = [0xee; 8];
        let rest = &memory[at.min(memory.len())..memory.len().min(at + 8)];
        word[..rest.len()].copy_from_slice(rest);
        u64::from_le_bytes(word)
    }

    proptest! {
        #[test]
        fn each_byte_of_the_content_counts_and_no_other(
            memory in proptest::collection::vec(any::<u8>(), 600),
            lens in proptest::collection::vec(8_usize..90, 1..5),
            change in any::<(prop::sample::Index, u8)>(),
        ) {
            let extents: Vec<Extent> =
                lens.iter().enumerate().map(|(i, &len)| Extent { start: 8 + i * 96, len }).collect();
            prop_assert!(extents.iter().all(|&extent| unpack(pack(extent)) == extent));
            let hash = extents.iter().rev().fold(0_u64, |sum, &Extent { start, len }| {
                let rest = &memory[start + 8..start + len];
                sum.wrapping_add(hash(1, start, word(&memory, start), rest))
            });
            let content = Content { hash, extents };
            prop_assert!(content.misplaced(8..600).is_none());
            prop_assert!(content.is_there(1, &|at| word(&memory, at)));
            prop_assert!(!content.is_there(2, &|at| word(&memory, at)));
            let (at, with) = (change.0.index(600), change.1);
            let mut changed = memory.clone();
            changed[at] ^= with;
            let counts = with != 0 && content.extents.iter().any(|extent| extent.range().contains(&at));
            prop_assert_eq!(content.is_there(1, &|at| word(&changed, at)), !counts);
        }
    }

    #[test]
    fn extents_lie_in_the_heap_in_order_and_each_once() {
        let extents = |all: &[(usize, usize)]| Content {
            hash: 0,
            extents: all.iter().map(|&(start, len)| Extent { start, len }).collect(),
        };
        let misplaced = |all| extents(all).misplaced(64..256).map(|extent| extent.start);
        assert_eq!(misplaced(&[(64, 24), (88, 8), (128, 128)]), None);
        for (all, bad) in [
            (&[(56, 16)][..], 56),
            (&[(64, 7)], 64),
            (&[(65, 16)], 65),
            (&[(128, 16), (64, 16)], 64),
            (&[(64, 16), (64, 16)], 64),
            (&[(64, 24), (80, 16)], 80),
            (&[(240, 24)], 240),
        ] {
            assert_eq!(misplaced(all), Some(bad), "{all:?}");
        }
    }
}
