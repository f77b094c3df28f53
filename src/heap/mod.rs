//! The heap: where objects are placed. All of its state is in DRAM; allocation and free write nothing to
//! persistent memory, and after a restart free space is what the walk from the root did not reach.
//!
//! A block of at most 1,024 bytes lies in a *slot* of a 4 KiB page whose slots all have one size class; a
//! larger one lies in *units* of 256 bytes ([`units`]). Where a block may lie, its [`Footprint`], is a
//! function of its size and alignment, so that open can check it and rebuild this state from what it found.
//!
//! Allocation and free take a bounded number of steps, amortised: a slot is a bit of the first page in its
//! class's list; a run of units is looked for in a few bins, among the first eight runs of each, and joined
//! with its neighbours through their tags. The exception is a large object for which there is no run: then the
//! empty pages that were kept back return to the units, each of which a free has paid for.
//!
//! A page stays with its size class until all of its slots are free.
//!
//! Whatever frees by copying (a removal from a map copies its node first) needs room before it gives any back.
//! So the heap knows when it [is low](Heap::is_low): when it holds less than its *reserve*, a number of whole
//! pages. A transaction may take what is left only if it [gives as much back](Heap::is_paid_for). Nothing of
//! that is in persistent memory (docs/design.md, 11.4 to 11.7).

mod rebuild;
pub(crate) mod units;
mod zeroed;

use crate::flush::PAGE;
use crate::format::block::{self, HEADER};
pub(crate) use rebuild::Rebuild;
use std::ops::Range;
use units::{UNIT, Units, pages_in};
use zerocopy::{FromZeros, Immutable, IntoBytes};
pub(crate) use zeroed::{Bitmap, Zeroed};

const UNITS_PER_PAGE: usize = PAGE / UNIT;
/// Footprints begin and end at multiples of this.
pub(crate) const GRAIN: usize = 32;

/// Slot sizes in bytes. A block of at most 64 bytes lies in one cache line; the larger sizes waste at most
/// a quarter of a slot, and fill a page as well as their number of slots allows.
const CLASSES: [usize; 16] = [32, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640, 768, 1024];
/// The smallest class for each need in steps of 32 bytes, where the alignment is at most 32.
const CLASS_FOR: [u8; 33] = {
    let mut classes = [0; 33];
    let (mut step, mut class) = (0, 0);
    while step <= 32 {
        if CLASSES[class] < step * 32 {
            class += 1;
        }
        classes[step] = class as u8;
        step += 1;
    }
    classes
};
/// Not a page of slots.
const NO_CLASS: u64 = 0;
/// End of a list of pages.
const NONE: u32 = 0;

/// Bytes that an object of `size` bytes owns: even one without a size has a word of its own, so that no
/// link can be its own target.
fn owned(size: usize) -> usize {
    size.max(8)
}

/// The size class of an object, or `None` for a large one.
fn class_of(size: usize, align: usize) -> Option<u8> {
    let align = align.max(block::GRANULE);
    let need = align.checked_add(owned(size))?;
    if need > CLASSES[CLASSES.len() - 1] {
        return None;
    }
    if align <= 32 {
        return Some(CLASS_FOR[need.div_ceil(32)]);
    }
    let fits = |&class: &usize| need <= class && class & (align - 1) == 0;
    CLASSES.iter().position(fits).map(|class| class as u8)
}

/// What an object takes from the heap: its slot, or its units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Footprint {
    Slot { class: u8, range: Range<usize> },
    Units(Range<usize>),
}

impl Footprint {
    /// The footprint of an object of `size` bytes at offset `at`; `None` where the heap would not put one.
    pub(crate) fn of(at: usize, size: usize, align: usize) -> Option<Self> {
        let (size, align) = (owned(size), align.max(block::GRANULE));
        match class_of(size, align) {
            Some(class) => {
                let slot_len = CLASSES[class as usize];
                let in_page = (at % PAGE).checked_sub(align)?;
                let start = at - align;
                (in_page.is_multiple_of(slot_len) && in_page + slot_len <= PAGE)
                    .then_some(Footprint::Slot { class, range: start..start + slot_len })
            }
            None => {
                let start = (at.checked_sub(HEADER)?) & !(UNIT - 1);
                let first = (start + HEADER).next_multiple_of(align);
                (first == at).then(|| Footprint::Units(units_of(at, size)))
            }
        }
    }

    pub(crate) fn range(&self) -> &Range<usize> {
        match self {
            Footprint::Slot { range, .. } | Footprint::Units(range) => range,
        }
    }
}

/// One for each 4 KiB of the region. All zeros is a page that is not in use for slots.
#[derive(Clone, Copy, FromZeros, IntoBytes, Immutable)]
#[repr(C)]
struct Page {
    /// One bit for each free slot.
    free: u128,
    /// Neighbours in the list of pages with free slots, plus one.
    previous: u32,
    next: u32,
    /// Its class, plus one.
    class: u64,
}

impl Page {
    const UNUSED: Page = Page { free: 0, previous: NONE, next: NONE, class: NO_CLASS };

    fn class(&self) -> Option<u8> {
        (self.class as u8).checked_sub(1)
    }
}

/// All slots of a class, free.
fn all_free(class: u8) -> u128 {
    u128::MAX >> (128 - PAGE / CLASSES[class as usize])
}

pub(crate) struct Heap {
    start: usize,
    end: usize,
    pages: Zeroed<Page>,
    /// Heads of the lists of pages that have free slots, by class; plus one.
    partial: [u32; CLASSES.len()],
    /// Pages that hold nothing, kept back from `units`.
    empty: Vec<u32>,
    units: Units,
    /// See [`reserve`].
    reserve: usize,
    /// Bytes of all footprints.
    used: usize,
    /// Bytes that slots leave over at the ends of their pages.
    tails: usize,
}

impl Heap {
    /// An empty heap over these offsets, both multiples of [`PAGE`].
    pub(crate) fn new(range: Range<usize>) -> Self {
        let mut heap = Self::unfilled(range);
        heap.units.free(heap.start / UNIT..heap.end / UNIT);
        heap
    }

    fn unfilled(range: Range<usize>) -> Self {
        assert!(range.start.is_multiple_of(PAGE) && range.end.is_multiple_of(PAGE));
        Heap {
            start: range.start,
            end: range.end,
            pages: Zeroed::new(range.end / PAGE),
            partial: [NONE; CLASSES.len()],
            empty: Vec::new(),
            units: Units::new(range.end / UNIT),
            reserve: reserve(range.len()),
            used: 0,
            tails: 0,
        }
    }

    /// Offset for an object, or `None` if there is no room without growing. The block is the caller's.
    pub(crate) fn allocate(&mut self, size: usize, align: usize) -> Option<usize> {
        let (size, align) = (owned(size), align.max(block::GRANULE));
        match class_of(size, align) {
            Some(class) => {
                let slot = self.allocate_slot(class)?;
                self.used += CLASSES[class as usize];
                Some(slot + align)
            }
            None => {
                let allocate = |units: &mut Units| units.allocate_object(size, align);
                let at = allocate(&mut self.units).or_else(|| {
                    // Pages kept back may make a run long enough.
                    let empty = std::mem::take(&mut self.empty);
                    (!empty.is_empty()).then_some(())?;
                    empty.into_iter().for_each(|page| self.units.free(page_units(page as usize)));
                    allocate(&mut self.units)
                })?;
                self.used += units_of(at, size).len();
                Some(at)
            }
        }
    }

    fn allocate_slot(&mut self, class: u8) -> Option<usize> {
        let index = match self.partial[class as usize] {
            NONE => {
                let index = match self.empty.pop() {
                    Some(page) => page,
                    None => (self.units.allocate(UNITS_PER_PAGE, UNITS_PER_PAGE)? * UNIT / PAGE) as u32,
                };
                let page = Page { free: all_free(class), class: u64::from(class) + 1, ..Page::UNUSED };
                self.pages[index as usize] = page;
                self.tails += tail(class);
                self.link(index);
                index
            }
            head => head - 1,
        };
        let page = &mut self.pages[index as usize];
        let slot = page.free.trailing_zeros() as usize;
        page.free &= page.free - 1;
        if page.free == 0 {
            self.unlink(index);
        }
        Some(index as usize * PAGE + slot * CLASSES[class as usize])
    }

    /// Gives the block of an object back. It was allocated here with this size and alignment.
    pub(crate) fn free(&mut self, at: usize, size: usize, align: usize) {
        let footprint = Footprint::of(at, size, align).expect("a block lies where the heap put it");
        self.used -= footprint.range().len();
        match footprint {
            Footprint::Slot { class, range } => {
                let index = (range.start / PAGE) as u32;
                let bit = 1_u128 << (range.start % PAGE / CLASSES[class as usize]);
                let page = &mut self.pages[index as usize];
                assert!(page.class() == Some(class) && page.free & bit == 0, "a block is freed once");
                let was_full = page.free == 0;
                page.free |= bit;
                let is_empty = page.free == all_free(class);
                if was_full {
                    self.link(index);
                }
                if is_empty {
                    self.unlink(index);
                    self.pages[index as usize] = Page::UNUSED;
                    self.tails -= tail(class);
                    self.empty.push(index);
                }
            }
            Footprint::Units(range) => self.units.free(range.start / UNIT..range.end / UNIT),
        }
    }

    /// The region has grown to `end`.
    pub(crate) fn extend(&mut self, end: usize) {
        let old = std::mem::replace(&mut self.end, end);
        self.reserve = reserve(end - self.start);
        self.pages.extend(end / PAGE);
        self.units.extend(end / UNIT);
        self.units.free(old / UNIT..end / UNIT);
    }

    /// Bytes of free slots and units.
    fn free_bytes(&self) -> usize {
        self.end - self.start - self.used - self.tails
    }

    /// Whether less is free than the reserve: in whole pages, which can become slots of any size, or twice as much
    /// in all. (Pages can be rare because much is free in each of many, and then something fits.)
    #[inline]
    pub(crate) fn is_low(&self) -> bool {
        let reserve = self.reserve;
        self.units.pages() + self.empty.len() < reserve && self.free_bytes() < 2 * reserve * PAGE
    }

    /// Bytes of the pages that the reserve lacks.
    pub(crate) fn missing(&self) -> usize {
        self.reserve.saturating_sub(self.units.pages() + self.empty.len()) * PAGE
    }

    /// Whether a transaction that found the heap low may commit, because what it took is no more than what it
    /// gives back, or because the reserve is whole again after it.
    pub(crate) fn is_paid_for(
        &self,
        taken: impl Iterator<Item = Footprint>,
        given: impl Iterator<Item = Footprint> + Clone,
    ) -> bool {
        let bytes = |footprint: Footprint| footprint.range().len();
        let freed: usize = given.clone().map(bytes).sum();
        if taken.map(bytes).sum::<usize>() <= freed {
            return true;
        }
        let pages = given.map(|footprint| match footprint {
            Footprint::Units(range) => pages_in(&(range.start / UNIT..range.end / UNIT)),
            Footprint::Slot { .. } => 0,
        });
        let reserve = self.reserve;
        self.units.pages() + self.empty.len() + pages.sum::<usize>() >= reserve
            || self.free_bytes() + freed >= 2 * reserve * PAGE
    }

    fn link(&mut self, index: u32) {
        let class = self.pages[index as usize].class().expect("a page of slots") as usize;
        let next = std::mem::replace(&mut self.partial[class], index + 1);
        let page = &mut self.pages[index as usize];
        (page.previous, page.next) = (NONE, next);
        if next != NONE {
            self.pages[next as usize - 1].previous = index + 1;
        }
    }

    fn unlink(&mut self, index: u32) {
        let page = self.pages[index as usize];
        match page.previous {
            NONE => self.partial[page.class().expect("a page of slots") as usize] = page.next,
            previous => self.pages[previous as usize - 1].next = page.next,
        }
        if page.next != NONE {
            self.pages[page.next as usize - 1].previous = page.previous;
        }
    }

    /// Calls `each` with every free range, in no order.
    #[cfg(test)]
    fn free_ranges(&self, mut each: impl FnMut(Range<usize>)) {
        self.units.free_runs(|run| each(run.start * UNIT..run.end * UNIT));
        for &page in &self.empty {
            each(page as usize * PAGE..(page as usize + 1) * PAGE);
        }
        (self.start / PAGE..self.end / PAGE).for_each(|index| self.free_in_page(index, &mut each));
    }

    /// Calls `each` with every free range of a page of slots.
    fn free_in_page(&self, index: usize, each: &mut impl FnMut(Range<usize>)) {
        let page = self.pages[index];
        let Some(class) = page.class() else { return };
        let len = CLASSES[class as usize];
        for slot in (0..PAGE / len).filter(|slot| page.free >> slot & 1 == 1) {
            let start = index * PAGE + slot * len;
            each(start..start + len);
        }
    }
}

/// Pages of a heap of so many bytes that are kept for transactions which give back what they take: a sixth of it
/// up to 16 pages, a sixteenth if that is more, and no more than 16 MiB.
///
/// In a full heap each size class that a removal copies into may need a page of its own, before the pages that it
/// copies from are empty: `tests/containers/collections/full.rs` finds out whether these are enough.
fn reserve(len: usize) -> usize {
    let pages = len / PAGE;
    (pages / 6).min(16).max(pages / 16).min(4096)
}

/// Bytes behind the last slot of a page.
fn tail(class: u8) -> usize {
    PAGE % CLASSES[class as usize]
}

/// The units of a large object of `size` bytes at `at`.
fn units_of(at: usize, size: usize) -> Range<usize> {
    (at - HEADER) & !(UNIT - 1)..(at + size).next_multiple_of(UNIT)
}

fn page_units(page: usize) -> Range<usize> {
    page * UNITS_PER_PAGE..(page + 1) * UNITS_PER_PAGE
}

#[cfg(test)]
mod tests;
