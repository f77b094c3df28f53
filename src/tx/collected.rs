//! [`Collected`]: the content of a transaction, which is what it flushed, what its words make reachable, and what no
//! fence has followed. Its record vouches for it with a hash, so that one fence covers both.

use super::blocks::Blocks;
use super::fences::Fences;
use crate::format::block::{Extent, HEADER};
use crate::format::content::{MAX_EXTENT, pack, unpack};

/// An extent that was flushed, and the hash of its bytes.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// The extent in one word, as a record has it: one that is copied as two waits for the stores that made it.
    word: u64,
    hash: u64,
}

impl Piece {
    fn extent(&self) -> Extent {
        unpack(self.word)
    }
}

/// Proof that what is flushed next is content, or else makes the commit fence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed(());

impl Listed {
    /// For the explorer, which shows what becomes of content that is not listed.
    pub(super) fn in_vain() -> Self {
        Listed(())
    }
}

/// What was flushed since the last fence, as far as a record can vouch for it. The memory is kept from one transaction
/// to the next.
#[derive(Debug)]
pub(crate) struct Collected {
    pieces: Vec<Piece>,
    /// When they were flushed: after the next fence there is nothing to vouch for.
    since: Fences,
    /// Bytes of all.
    len: usize,
    /// There is more than is worth a hash, so that not all is in `pieces`.
    is_too_much: bool,
}

impl Collected {
    pub(super) fn new() -> Self {
        Collected { pieces: Vec::new(), since: Fences::NONE, len: 0, is_too_much: false }
    }

    /// Takes in what is flushed right after this; `now`: the fences so far. Above `most` bytes nothing is hashed any
    /// more. Before the flush, because a load from a line that is being written back waits for it.
    #[inline(always)]
    pub(super) fn add(
        &mut self,
        now: Fences,
        most: usize,
        extent: Extent,
        hash: impl FnOnce() -> u64,
    ) -> Listed {
        if self.since != now {
            self.clear();
            self.since = now;
        }
        self.len = self.len.saturating_add(extent.len);
        debug_assert!(most < MAX_EXTENT);
        self.is_too_much |= self.len > most;
        if !self.is_too_much {
            self.pieces.push(Piece { word: pack(extent), hash: hash() });
        }
        Listed(())
    }

    /// Whether some of it has no fence behind it.
    #[inline]
    pub(super) fn is_unfenced(&self, now: Fences) -> bool {
        self.since == now && self.len > 0
    }

    /// Whether a record can vouch for all of it, and for so many bytes more.
    pub(super) fn can_be_sealed(&self, more: usize, most: usize) -> bool {
        !self.is_too_much && self.len + more <= most
    }

    /// Leaves out the blocks that the transaction frees itself: the next one may write to them while its record is
    /// still the newest.
    pub(super) fn leave_out(&mut self, freed: &Blocks) {
        self.pieces.retain(|piece| !freed.contain(piece.extent().start + HEADER));
        if !self.is_too_much {
            self.len = self.extents().map(|extent| extent.len).sum();
        }
    }

    /// How many extents there are.
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.pieces.len()
    }

    /// By place, as a record lists them.
    pub(super) fn sort(&mut self) {
        self.pieces.sort_unstable_by_key(|piece| piece.extent().start);
    }

    fn extents(&self) -> impl Iterator<Item = Extent> {
        self.pieces.iter().map(Piece::extent)
    }

    /// Whether one begins there.
    pub(super) fn has(&self, start: usize) -> bool {
        self.extents().any(|extent| extent.start == start)
    }

    /// The extents as a record has them.
    pub(super) fn words(&self) -> impl Iterator<Item = u64> {
        self.pieces.iter().map(|piece| piece.word)
    }

    /// The hash of all.
    pub(super) fn hash(&self) -> u64 {
        self.pieces.iter().fold(0, |sum, piece| sum.wrapping_add(piece.hash))
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        self.pieces.clear();
        self.len = 0;
        self.is_too_much = false;
    }
}
