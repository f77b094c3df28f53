//! Runs of 256-byte units: a two-level segregated fit (Masmano et al., "TLSF: a new dynamic memory
//! allocator for real-time systems", 2004) whose boundary tags lie in DRAM beside the heap.

use super::{UNITS_PER_PAGE, Zeroed};
use crate::format::block::HEADER;
use std::ops::Range;
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// Bytes in a unit.
pub(crate) const UNIT: usize = 256;
/// End of a list.
const NONE: u32 = 0;
/// Bins for each power of two.
const STEPS: usize = 8;
const BINS: usize = 32 * STEPS;

/// One a unit; the memory stays untouched where no free run begins or ends.
#[derive(Clone, Copy, FromZeros, IntoBytes, Immutable)]
#[repr(C)]
struct Tag {
    /// Units of the free run that begins here, or 0.
    len: u32,
    /// Units of the free run that ends here, or 0.
    len_at_end: u32,
    /// Neighbours in the bin, plus one.
    previous: u32,
    next: u32,
}

pub(crate) struct Units {
    tags: Zeroed<Tag>,
    /// Whole pages in all free runs.
    pages: usize,
    /// First run of each bin, plus one.
    heads: [u32; BINS],
    /// One bit for each bin that has a run.
    occupied: [u64; BINS / 64],
    /// Free runs that were looked at.
    #[cfg(test)]
    pub(super) steps: std::cell::Cell<usize>,
}

/// The bin of a run of `len` units: exact below 8, then eight steps for each power of two.
fn bin(len: usize) -> usize {
    if len < STEPS {
        return len;
    }
    let power = len.ilog2() as usize;
    (power - 2) * STEPS + (len >> (power - 3)) % STEPS
}

/// The first bin in which every run has at least `len` units.
fn bin_for(len: usize) -> usize {
    if len < STEPS {
        return len;
    }
    bin(len + (1 << (len.ilog2() - 3)) - 1)
}

/// Whole pages in a run.
#[inline]
pub(crate) fn pages_in(run: &Range<usize>) -> usize {
    (run.end / UNITS_PER_PAGE).saturating_sub(run.start.div_ceil(UNITS_PER_PAGE))
}

/// As many units as a `u32` can name, plus one.
fn checked(count: usize) -> usize {
    assert!(u32::try_from(count).is_ok_and(|count| count < u32::MAX), "a region has at most 1 TiB");
    count
}

impl Units {
    /// Nothing is free yet.
    pub(crate) fn new(count: usize) -> Self {
        Units {
            tags: Zeroed::new(checked(count)),
            pages: 0,
            heads: [NONE; BINS],
            occupied: [0; BINS / 64],
            #[cfg(test)]
            steps: std::cell::Cell::new(0),
        }
    }

    /// Pages that could be given to slots.
    #[inline]
    pub(crate) fn pages(&self) -> usize {
        self.pages
    }

    pub(crate) fn extend(&mut self, count: usize) {
        self.tags.extend(checked(count));
    }

    /// The first of `len` units at a multiple of `align`.
    pub(crate) fn allocate(&mut self, len: usize, align: usize) -> Option<usize> {
        if len > self.tags.len() {
            return None;
        }
        let fits = |first: usize, run_len: usize| {
            let skip = first.next_multiple_of(align) - first;
            (skip + len <= run_len).then_some(first + skip)
        };
        let (run, start) = self.find(bin_for(len + align - 1), fits).or_else(|| {
            // A run that is just long enough may be in one of the bins below.
            (bin(len)..bin_for(len + align - 1)).find_map(|bin| self.find_in(bin, fits))
        })?;
        self.unlink(run.clone());
        self.link(run.start..start);
        self.link(start + len..run.end);
        Some(start)
    }

    /// Offset in bytes for a large object: its header lies in the first unit.
    pub(crate) fn allocate_object(&mut self, size: usize, align: usize) -> Option<usize> {
        // The object is at the first multiple of `align` behind a header at the start of its first unit;
        // from a unit before a multiple of `align`, that is the least possible.
        let at = |unit: usize| (unit * UNIT + HEADER).next_multiple_of(align);
        if align <= UNIT / 2 {
            let len = (align + size).div_ceil(UNIT);
            return self.allocate(len, 1).map(at);
        }
        let step = align.div_ceil(UNIT);
        let len = 1 + size.div_ceil(UNIT);
        let wide = self.allocate(len + step, 1)?;
        let object = (wide * UNIT + HEADER).next_multiple_of(align);
        let first = object / UNIT - 1;
        self.free(wide..first);
        self.free(first + len..wide + len + step);
        Some(object)
    }

    /// Gives units back, joined with the free runs beside them.
    pub(crate) fn free(&mut self, mut run: Range<usize>) {
        if run.is_empty() {
            return;
        }
        assert!(self.tags[run.start].len == 0 && self.tags[run.end - 1].len_at_end == 0, "freed once");
        if run.start > 0 && self.tags[run.start - 1].len_at_end > 0 {
            let before = run.start - self.tags[run.start - 1].len_at_end as usize..run.start;
            self.unlink(before.clone());
            run.start = before.start;
        }
        if run.end < self.tags.len() && self.tags[run.end].len > 0 {
            let after = run.end..run.end + self.tags[run.end].len as usize;
            self.unlink(after.clone());
            run.end = after.end;
        }
        self.link(run);
    }

    /// Calls `each` with every free run.
    pub(crate) fn free_runs(&self, mut each: impl FnMut(Range<usize>)) {
        for mut first in self.heads {
            while first != NONE {
                let start = first as usize - 1;
                let tag = self.tags[start];
                each(start..start + tag.len as usize);
                first = tag.next;
            }
        }
    }

    /// A run in this bin or a higher one.
    fn find(
        &self,
        from: usize,
        fits: impl Fn(usize, usize) -> Option<usize>,
    ) -> Option<(Range<usize>, usize)> {
        let mut word = from / 64;
        let mut bits = self.occupied.get(word)? & (u64::MAX << (from % 64));
        while bits == 0 {
            word += 1;
            bits = *self.occupied.get(word)?;
        }
        self.find_in(word * 64 + bits.trailing_zeros() as usize, fits)
    }

    /// A run among the first few of this bin.
    fn find_in(
        &self,
        bin: usize,
        fits: impl Fn(usize, usize) -> Option<usize>,
    ) -> Option<(Range<usize>, usize)> {
        let mut first = self.heads[bin];
        for _ in 0..8 {
            if first == NONE {
                return None;
            }
            #[cfg(test)]
            self.steps.set(self.steps.get() + 1);
            let start = first as usize - 1;
            let tag = self.tags[start];
            let len = tag.len as usize;
            if let Some(at) = fits(start, len) {
                return Some((start..start + len, at));
            }
            first = tag.next;
        }
        None
    }

    fn link(&mut self, run: Range<usize>) {
        if run.is_empty() {
            return;
        }
        let len = run.len() as u32;
        let bin = bin(run.len());
        self.pages += pages_in(&run);
        let next = std::mem::replace(&mut self.heads[bin], run.start as u32 + 1);
        self.tags[run.end - 1].len_at_end = len;
        let tag = &mut self.tags[run.start];
        tag.len = len;
        tag.previous = NONE;
        tag.next = next;
        if next != NONE {
            self.tags[next as usize - 1].previous = run.start as u32 + 1;
        }
        self.occupied[bin / 64] |= 1 << (bin % 64);
    }

    fn unlink(&mut self, run: Range<usize>) {
        let bin = bin(run.len());
        self.pages -= pages_in(&run);
        self.tags[run.end - 1].len_at_end = 0;
        let Tag { previous, next, .. } = self.tags[run.start];
        self.tags[run.start].len = 0;
        match previous {
            NONE => self.heads[bin] = next,
            previous => self.tags[previous as usize - 1].next = next,
        }
        if next != NONE {
            self.tags[next as usize - 1].previous = previous;
        }
        if self.heads[bin] == NONE {
            self.occupied[bin / 64] &= !(1 << (bin % 64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_of_a_search_bin_is_long_enough() {
        for len in 1..100_000 {
            let found = bin_for(len);
            let shortest = (len.saturating_sub(1).max(1)..).find(|&other| bin(other) >= found).unwrap();
            assert!(shortest >= len, "{len}: bin {found} holds runs of {shortest}");
            assert!(bin(len) <= found);
        }
    }

    /// Runs of 16 and 17 units share a bin.
    #[test]
    fn a_run_behind_shorter_ones_of_its_bin_is_found() {
        for shorter in 1..8 {
            let mut units = Units::new(1_000);
            units.free(0..17);
            (0..shorter).map(|n| 20 + n * 20).for_each(|start| units.free(start..start + 16));
            assert_eq!(units.allocate(17, 1), Some(0), "behind {shorter}");
            // The others are still there.
            assert!((0..shorter).all(|_| units.allocate(16, 1).is_some()), "{shorter}");
            assert_eq!(units.allocate(1, 1), None);
        }
    }
}
