//! Tables over the whole region whose memory is the kernel's zero pages until it is written: an empty
//! region of many gigabytes costs next to nothing.
//!
//! A table is made of segments, so that it can grow without being copied: each is asked for as zeroed memory,
//! which for large ones the allocator takes from `mmap` as it is.

use std::ops::{Index, IndexMut, Range};
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// Entries in a segment, but for the last one, which may have fewer.
const SEGMENT: usize = 1 << SHIFT;
const SHIFT: u32 = 22;
/// Entries that are looked at together when the last segment grows.
const CHUNK: usize = 256;

/// Entries that are all zeros to begin with.
pub(crate) struct Zeroed<T> {
    segments: Vec<Vec<T>>,
}

impl<T: FromZeros + IntoBytes + Immutable + Copy> Zeroed<T> {
    pub(crate) fn new(len: usize) -> Self {
        let mut table = Zeroed { segments: Vec::new() };
        table.extend(len);
        table
    }

    pub(crate) fn len(&self) -> usize {
        self.segments.last().map_or(0, |last| (self.segments.len() - 1) * SEGMENT + last.len())
    }

    /// Makes it `len` entries long; those there are stay.
    pub(crate) fn extend(&mut self, len: usize) {
        if len <= self.len() {
            return;
        }
        // The last segment is replaced by a longer one, without touching what was not touched.
        if let Some(last) = self.segments.pop() {
            let mut longer = zeros::<T>((len - self.segments.len() * SEGMENT).min(SEGMENT));
            for (old, new) in last.chunks(CHUNK).zip(longer.chunks_mut(CHUNK)) {
                if old.as_bytes().iter().any(|&byte| byte != 0) {
                    new[..old.len()].copy_from_slice(old);
                }
            }
            self.segments.push(longer);
        }
        while self.len() < len {
            let rest = len - self.segments.len() * SEGMENT;
            self.segments.push(zeros(rest.min(SEGMENT)));
        }
    }
}

fn zeros<T: FromZeros>(len: usize) -> Vec<T> {
    match T::new_vec_zeroed(len) {
        Ok(zeros) => zeros,
        Err(_) => std::alloc::handle_alloc_error(
            std::alloc::Layout::array::<T>(len).unwrap_or(std::alloc::Layout::new::<T>()),
        ),
    }
}

impl<T> Index<usize> for Zeroed<T> {
    type Output = T;
    #[inline]
    fn index(&self, at: usize) -> &T {
        &self.segments[at >> SHIFT][at & (SEGMENT - 1)]
    }
}

impl<T> IndexMut<usize> for Zeroed<T> {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.segments[at >> SHIFT][at & (SEGMENT - 1)]
    }
}

/// Bits, all zero to begin with; the memory is zero pages until it is touched.
pub(crate) struct Bitmap(Vec<u64>);

impl Bitmap {
    pub(crate) fn new(bits: usize) -> Self {
        Bitmap(vec![0; bits.div_ceil(64)])
    }

    #[inline]
    pub(crate) fn get(&self, bit: usize) -> bool {
        self.0[bit / 64] >> (bit % 64) & 1 == 1
    }

    /// The 64 bits with this index, or 0 where there is none.
    #[inline]
    pub(crate) fn peek(&self, index: usize) -> u64 {
        self.0.get(index).copied().unwrap_or(0)
    }

    #[inline]
    pub(crate) fn word_mut(&mut self, index: usize) -> &mut u64 {
        &mut self.0[index]
    }

    /// The words that hold these bits, each with a mask of them.
    fn words(bits: Range<usize>) -> impl Iterator<Item = (usize, u64)> {
        (bits.start / 64..bits.end.div_ceil(64)).map(move |word| {
            let from = bits.start.saturating_sub(word * 64).min(64);
            let to = (bits.end - word * 64).min(64);
            (word, (u64::MAX << from) & (u64::MAX >> (64 - to)))
        })
    }

    /// Sets these bits; false if one was set already.
    #[inline]
    pub(crate) fn set(&mut self, bits: Range<usize>) -> bool {
        let (first, last) = (bits.start / 64, (bits.end - 1) / 64);
        if first == last {
            let mask = (u64::MAX >> (64 - bits.len())) << (bits.start % 64);
            let fresh = self.0[first] & mask == 0;
            self.0[first] |= mask;
            return fresh;
        }
        let mut fresh = true;
        for (word, mask) in Self::words(bits) {
            fresh &= self.0[word] & mask == 0;
            self.0[word] |= mask;
        }
        fresh
    }

    /// How many of these bits are set.
    pub(crate) fn count(&self, bits: Range<usize>) -> usize {
        Self::words(bits).map(|(word, mask)| (self.0[word] & mask).count_ones() as usize).sum()
    }

    pub(crate) fn any(&self, bits: Range<usize>) -> bool {
        Self::words(bits).any(|(word, mask)| self.0[word] & mask != 0)
    }
}
