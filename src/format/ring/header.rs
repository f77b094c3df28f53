//! The words of a ring's header.

/// Offsets of the header's words from the ring's start, in bytes.
pub(crate) const HEAD: usize = 0;
pub(crate) const HEAD_SEQ: usize = 8;
pub(crate) const FIRST: usize = 16;
pub(crate) const EPOCH: usize = 24;
pub(crate) const CUT: usize = 32;
/// Not durable, and not believed at open.
pub(crate) const TAIL: usize = 64;
pub(crate) const NEXT: usize = 72;
/// Bytes before the frames.
pub(crate) const RING_HEADER: usize = 128;
