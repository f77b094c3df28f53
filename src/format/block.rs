//! The 16 bytes before every object.
//!
//! Word 0 holds the element count (48 bits) and the low 16 bits of the type's fingerprint, word 1 its high
//! 32 bits and a CRC-32C over the block's own offset, the count and the fingerprint. The extent of a block
//! is a function of its header: nothing else in persistent memory says what is allocated.

use crate::flush::LINE;
use crate::persistent::TypeInfo;

/// Bytes of a block header.
pub(crate) const HEADER: usize = 16;
/// Blocks begin and end at multiples of this.
pub(crate) const GRANULE: usize = 16;
/// The element count, in the header's first word.
pub(crate) const COUNT_MASK: u64 = (1 << 48) - 1;

/// A header, for the object at a region offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub count: u64,
    pub fingerprint: u64,
}

impl Header {
    /// The two words for an object at `offset`, in bytes from the region's start.
    pub(crate) fn encode(self, offset: usize) -> [u64; 2] {
        let crc = self.checksum(offset);
        [self.count | self.fingerprint << 48, self.fingerprint >> 16 | u64::from(crc) << 32]
    }

    /// The header in these two words, if it is one for an object at `offset`.
    pub(crate) fn decode(words: [u64; 2], offset: usize) -> Option<Self> {
        let header = Header {
            count: words[0] & COUNT_MASK,
            fingerprint: words[0] >> 48 | (words[1] & 0xffff_ffff) << 16,
        };
        (header.checksum(offset) == (words[1] >> 32) as u32).then_some(header)
    }

    fn checksum(self, offset: usize) -> u32 {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&(offset as u64).to_le_bytes());
        bytes[8..16].copy_from_slice(&self.count.to_le_bytes());
        bytes[16..].copy_from_slice(&self.fingerprint.to_le_bytes());
        crc32c::crc32c(&bytes)
    }
}

/// Where a block lies: header and object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Extent {
    /// Offset of the header, in bytes from the region's start.
    pub start: usize,
    /// Bytes of header and object, rounded up to a multiple of [`GRANULE`].
    pub len: usize,
}

impl Extent {
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start..self.start + self.len
    }

    /// The extent of an object of `size` bytes at `offset`.
    pub(crate) fn of(offset: usize, size: usize) -> Self {
        Extent { start: offset - HEADER, len: extent_len(size) }
    }
}

/// Bytes that a block for an object of `size` bytes covers. Every object owns at least 8 bytes, so that no
/// link can be its own target.
pub(crate) fn extent_len(size: usize) -> usize {
    (HEADER + size.max(8)).next_multiple_of(GRANULE)
}

/// Alignment of an object: its type's, and at least that of a granule.
pub(crate) fn object_align(info: &TypeInfo) -> usize {
    info.align.max(GRANULE)
}

/// Whether header and object must share one cache line.
pub(crate) const fn in_one_line(size: usize) -> bool {
    HEADER + size <= LINE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_bound_to_its_place_and_contents() {
        let header = Header { count: 0x1234_5678_9abc, fingerprint: 0xfedc_ba98_7654 };
        let words = header.encode(4096);
        assert_eq!(Header::decode(words, 4096), Some(header));
        assert_eq!(Header::decode(words, 4112), None);
        for bit in 0..128 {
            let mut torn = words;
            torn[bit / 64] ^= 1 << (bit % 64);
            assert_eq!(Header::decode(torn, 4096), None, "bit {bit}");
        }
    }
}
