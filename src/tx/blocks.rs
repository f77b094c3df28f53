//! [`Blocks`]: the blocks that a transaction allocated, or those that its commit frees.

/// A block of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Block {
    /// Offset of the object, in bytes from the region's start.
    pub at: usize,
    pub size: usize,
    pub align: usize,
}

/// Looked up once they are sorted. The memory is kept from one transaction to the next.
#[derive(Debug, Default)]
pub(super) struct Blocks(Vec<Block>);

impl Blocks {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub fn push(&mut self, block: Block) {
        self.0.push(block);
    }

    /// By offset.
    #[inline]
    pub fn sort(&mut self) {
        self.0.sort_unstable();
    }

    /// Whether the object of one of them holds the word at `at`. Nothing lies in an empty slice.
    #[inline]
    pub fn hold(&self, at: usize) -> bool {
        let after = self.0.partition_point(|block| block.at <= at);
        after > 0 && at < self.0[after - 1].at + self.0[after - 1].size
    }

    /// Whether the object of one of them begins at `at`.
    pub fn contain(&self, at: usize) -> bool {
        self.0.binary_search_by_key(&at, |block| block.at).is_ok()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Block> {
        self.0.iter()
    }

    pub fn drain(&mut self) -> std::vec::Drain<'_, Block> {
        self.0.drain(..)
    }

    #[inline]
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
