//! The heap: where objects are placed. All of its state is in DRAM; allocation and free write nothing to
//! persistent memory, and after a restart free space is what the walk from the root did not reach.
//!
//! A block of at most 1,024 bytes lies in a *slot* of a 4 KiB page whose slots all have one size class; a
//! larger one lies in *units* of 256 bytes ([`units`]). Where a block may lie, its [`Footprint`], is a
//! function of its size and alignment, so that open can check it and rebuild this state from what it found.

pub(crate) mod units;

use super::block::{self, HEADER};
use crate::medium::Map;
use std::ops::Range;
use units::{UNIT, Units};

/// Bytes in a page of slots.
pub(crate) const PAGE: usize = 4096;
const UNITS_PER_PAGE: usize = PAGE / UNIT;
/// Footprints begin and end at multiples of this.
pub(crate) const GRAIN: usize = 32;

/// Slot sizes in bytes. A block of at most 64 bytes lies in one cache line; the larger sizes waste at most
/// a quarter of a slot, and fill a page as well as their number of slots allows.
const CLASSES: [usize; 16] = [32, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640, 768, 1024];
/// Not a page of slots.
const NO_CLASS: u8 = u8::MAX;
/// End of a list of pages.
const NONE: u32 = u32::MAX;

/// Bytes that an object of `size` bytes owns: even one without a size has a word of its own, so that no
/// link can be its own target.
fn owned(size: usize) -> usize {
    size.max(8)
}

/// The size class of an object, or `None` for a large one.
fn class_of(size: usize, align: usize) -> Option<u8> {
    let align = align.max(block::GRANULE);
    let need = align.checked_add(owned(size))?;
    let fits = |&class: &usize| need <= class && class.is_multiple_of(align);
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
                (first == at).then(|| Footprint::Units(start..(at + size).next_multiple_of(UNIT)))
            }
        }
    }

    pub(crate) fn range(&self) -> &Range<usize> {
        match self {
            Footprint::Slot { range, .. } | Footprint::Units(range) => range,
        }
    }
}

#[derive(Clone)]
struct Page {
    /// One bit for each free slot.
    free: u128,
    class: u8,
    previous: u32,
    next: u32,
}

impl Page {
    const UNUSED: Page = Page { free: 0, class: NO_CLASS, previous: NONE, next: NONE };
}

/// All slots of a class, free.
fn all_free(class: u8) -> u128 {
    u128::MAX >> (128 - PAGE / CLASSES[class as usize])
}

pub(crate) struct Heap {
    start: usize,
    end: usize,
    pages: Vec<Page>,
    /// Heads of the lists of pages that have free slots, by class.
    partial: [u32; CLASSES.len()],
    /// Pages that hold nothing, kept back from `units`.
    empty: Vec<u32>,
    units: Units,
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
            pages: vec![Page::UNUSED; range.end / PAGE],
            partial: [NONE; CLASSES.len()],
            empty: Vec::new(),
            units: Units::new(range.end / UNIT),
        }
    }

    /// Offset for an object, or `None` if there is no room without growing. The block is the caller's.
    pub(crate) fn allocate(&mut self, size: usize, align: usize) -> Option<usize> {
        let (size, align) = (owned(size), align.max(block::GRANULE));
        match class_of(size, align) {
            Some(class) => Some(self.allocate_slot(class)? + align),
            None => {
                let allocate = |units: &mut Units| units.allocate_object(size, align);
                allocate(&mut self.units).or_else(|| {
                    // Pages kept back may make a run long enough.
                    let empty = std::mem::take(&mut self.empty);
                    (!empty.is_empty()).then_some(())?;
                    empty.into_iter().for_each(|page| self.units.free(page_units(page as usize)));
                    allocate(&mut self.units)
                })
            }
        }
    }

    fn allocate_slot(&mut self, class: u8) -> Option<usize> {
        let mut index = self.partial[class as usize];
        if index == NONE {
            index = match self.empty.pop() {
                Some(page) => page,
                None => (self.units.allocate(UNITS_PER_PAGE, UNITS_PER_PAGE)? * UNIT / PAGE) as u32,
            };
            self.pages[index as usize] = Page { free: all_free(class), class, ..Page::UNUSED };
            self.link(index);
        }
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
        match Footprint::of(at, size, align).expect("a block lies where the heap put it") {
            Footprint::Slot { class, range } => {
                let index = (range.start / PAGE) as u32;
                let bit = 1_u128 << (range.start % PAGE / CLASSES[class as usize]);
                let page = &mut self.pages[index as usize];
                assert!(page.class == class && page.free & bit == 0, "a block is freed once");
                let was_full = page.free == 0;
                page.free |= bit;
                let is_empty = page.free == all_free(class);
                if was_full {
                    self.link(index);
                }
                if is_empty {
                    self.unlink(index);
                    self.pages[index as usize] = Page::UNUSED;
                    self.empty.push(index);
                }
            }
            Footprint::Units(range) => self.units.free(range.start / UNIT..range.end / UNIT),
        }
    }

    /// The region has grown to `end`.
    pub(crate) fn extend(&mut self, end: usize) {
        let old = std::mem::replace(&mut self.end, end);
        self.pages.resize(end / PAGE, Page::UNUSED);
        self.units.extend(end / UNIT);
        self.units.free(old / UNIT..end / UNIT);
    }

    fn link(&mut self, index: u32) {
        let class = self.pages[index as usize].class as usize;
        let next = std::mem::replace(&mut self.partial[class], index);
        self.pages[index as usize].next = next;
        self.pages[index as usize].previous = NONE;
        if next != NONE {
            self.pages[next as usize].previous = index;
        }
    }

    fn unlink(&mut self, index: u32) {
        let Page { class, previous, next, .. } = self.pages[index as usize];
        match previous {
            NONE => self.partial[class as usize] = next,
            previous => self.pages[previous as usize].next = next,
        }
        if next != NONE {
            self.pages[next as usize].previous = previous;
        }
    }

    /// Calls `each` with every free range, in no order.
    pub(crate) fn free_ranges(&self, mut each: impl FnMut(Range<usize>)) {
        self.units.free_runs(|run| each(run.start * UNIT..run.end * UNIT));
        for &page in &self.empty {
            each(page as usize * PAGE..(page as usize + 1) * PAGE);
        }
        for (index, page) in self.pages.iter().enumerate().filter(|(_, page)| page.class != NO_CLASS) {
            let len = CLASSES[page.class as usize];
            for slot in (0..PAGE / len).filter(|slot| page.free >> slot & 1 == 1) {
                let start = index * PAGE + slot * len;
                each(start..start + len);
            }
            // What the slots leave over at the end of the page belongs to nobody.
            let end = PAGE / len * len;
            if end < PAGE {
                each(index * PAGE + end..(index + 1) * PAGE);
            }
        }
    }
}

fn page_units(page: usize) -> Range<usize> {
    page * UNITS_PER_PAGE..(page + 1) * UNITS_PER_PAGE
}

/// A heap's state, found again by the walk at open.
pub(crate) struct Rebuild {
    heap: Heap,
    covered: Bitmap,
}

impl Rebuild {
    pub(crate) fn new(range: Range<usize>) -> Self {
        Rebuild { covered: Bitmap::new(range.end / GRAIN), heap: Heap::unfilled(range) }
    }

    /// Notes a block that is in use. `Err` says why no heap could have put it there.
    pub(crate) fn adopt(&mut self, at: usize, size: usize, align: usize) -> Result<(), &'static str> {
        let footprint =
            Footprint::of(at, size, align).ok_or("a place that the heap gives to such an object")?;
        let range = footprint.range().clone();
        if range.start < self.heap.start || range.end > self.heap.end {
            return Err("a block inside the heap");
        }
        let pages = range.start / PAGE..range.end.div_ceil(PAGE);
        match footprint {
            Footprint::Slot { class, .. } => {
                let page = &mut self.heap.pages[pages.start];
                let first = page.class == NO_CLASS;
                if first && self.covered.any(pages.start * PAGE / GRAIN..pages.end * PAGE / GRAIN) {
                    return Err("a page that no large object lies in");
                }
                if !first && page.class != class {
                    return Err("a slot of its page's size");
                }
                page.class = class;
            }
            Footprint::Units(_)
                if self.heap.pages[pages.clone()].iter().any(|page| page.class != NO_CLASS) =>
            {
                return Err("pages that no small object lies in");
            }
            Footprint::Units(_) => {}
        }
        match self.covered.set(range.start / GRAIN..range.end / GRAIN) {
            true => Ok(()),
            false => Err("memory that no other object has"),
        }
    }

    /// Whether a block that was noted covers this byte.
    pub(crate) fn is_covered(&self, at: usize) -> bool {
        self.covered.get(at / GRAIN)
    }

    /// The heap in which exactly the noted blocks are in use.
    pub(crate) fn finish(self) -> Heap {
        let Rebuild { mut heap, covered } = self;
        let mut run = heap.start / UNIT;
        for index in heap.start / PAGE..heap.end / PAGE {
            let class = heap.pages[index].class;
            let units = page_units(index);
            if class == NO_CLASS {
                for unit in units {
                    if covered.any(unit * UNIT / GRAIN..(unit + 1) * UNIT / GRAIN) {
                        heap.units.free(run..unit);
                        run = unit + 1;
                    }
                }
                continue;
            }
            heap.units.free(run..units.start);
            run = units.end;
            let len = CLASSES[class as usize];
            let slots = PAGE / len;
            let used = |slot: usize| covered.get((index * PAGE + slot * len) / GRAIN);
            let free = (0..slots).filter(|&slot| !used(slot)).fold(0_u128, |free, slot| free | 1 << slot);
            heap.pages[index].free = free;
            if free != 0 {
                heap.link(index as u32);
            }
        }
        heap.units.free(run..heap.end / UNIT);
        heap
    }

    /// Compares the noted blocks with what `heap` holds as allocated: bytes that are allocated and not
    /// noted, and bytes that are noted and not allocated.
    pub(crate) fn compare(&self, heap: &Heap) -> (usize, usize) {
        let mut free = Bitmap::new(heap.end / GRAIN);
        free.set(0..heap.start / GRAIN);
        heap.free_ranges(|range| {
            free.set(range.start / GRAIN..range.end / GRAIN);
        });
        let mut unreached = 0;
        let mut unallocated = 0;
        for grain in heap.start / GRAIN..heap.end / GRAIN {
            match (self.covered.get(grain), free.get(grain)) {
                (false, false) => unreached += GRAIN,
                (true, true) => unallocated += GRAIN,
                _ => {}
            }
        }
        (unreached, unallocated)
    }
}

/// One bit a grain. The memory is zero pages until it is touched.
struct Bitmap(Vec<u64>);

impl Bitmap {
    fn new(bits: usize) -> Self {
        Bitmap(vec![0; bits.div_ceil(64)])
    }

    fn get(&self, bit: usize) -> bool {
        self.0[bit / 64] >> (bit % 64) & 1 == 1
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
    fn set(&mut self, bits: Range<usize>) -> bool {
        let mut fresh = true;
        for (word, mask) in Self::words(bits) {
            fresh &= self.0[word] & mask == 0;
            self.0[word] |= mask;
        }
        fresh
    }

    fn any(&self, bits: Range<usize>) -> bool {
        Self::words(bits).any(|(word, mask)| self.0[word] & mask != 0)
    }
}

/// Reads a block's header, for an object at `at`.
pub(crate) fn read_header(map: &Map, at: usize) -> [u64; 2] {
    [map.load(at - HEADER), map.load(at - HEADER + 8)]
}

#[cfg(test)]
mod tests;
