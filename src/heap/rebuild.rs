//! The heap's state, found again by the walk at open: which blocks are in use says all.

use super::*;

/// A heap's state, found again by the walk at open.
pub(crate) struct Rebuild {
    heap: Heap,
    /// One bit a grain.
    covered: Bitmap,
    /// One bit for each chunk that has a block.
    chunks: Bitmap,
    /// The same chunks, as they were found.
    found: Vec<usize>,
    /// Bytes of all footprints.
    used: usize,
}

/// Bytes in a chunk: what has none is passed over at once when the heap is put together.
const CHUNK: usize = 512 << 10;

impl Rebuild {
    pub(crate) fn new(range: Range<usize>) -> Self {
        Rebuild {
            covered: Bitmap::new(range.end / GRAIN),
            chunks: Bitmap::new(range.end.div_ceil(CHUNK)),
            found: Vec::new(),
            used: 0,
            heap: Heap::unfilled(range),
        }
    }

    /// Notes a block that is in use. `Err` says why no heap could have put it there.
    pub(crate) fn adopt(&mut self, at: usize, size: usize, align: usize) -> Result<(), &'static str> {
        let footprint =
            Footprint::of(at, size, align).ok_or("a place that the heap gives to such an object")?;
        let range = footprint.range().clone();
        if range.start < self.heap.start || range.end > self.heap.end {
            return Err("a block inside the heap");
        }
        match footprint {
            Footprint::Slot { class, .. } => {
                let index = range.start / PAGE;
                let page = &mut self.heap.pages[index];
                match page.class() {
                    None => {
                        let grains = index * PAGE / GRAIN..(index + 1) * PAGE / GRAIN;
                        if self.covered.any(grains) {
                            return Err("a page that no large object lies in");
                        }
                        page.class = u64::from(class) + 1;
                    }
                    Some(other) if other != class => return Err("a slot of its page's size"),
                    Some(_) => {}
                }
            }
            Footprint::Units(_) => {
                let mut pages = range.start / PAGE..range.end.div_ceil(PAGE);
                if pages.any(|index| self.heap.pages[index].class != NO_CLASS) {
                    return Err("pages that no small object lies in");
                }
            }
        }
        for chunk in range.start / CHUNK..range.end.div_ceil(CHUNK) {
            if self.chunks.set(chunk..chunk + 1) {
                self.found.push(chunk);
            }
        }
        self.used += range.len();
        match self.covered.set(range.start / GRAIN..range.end / GRAIN) {
            true => Ok(()),
            false => Err("memory that no other object has"),
        }
    }

    /// Something of what [`Rebuild::adopt`] will look at for an object there, so that it is in the cache.
    #[inline]
    pub(crate) fn peek(&self, at: usize) -> u64 {
        self.heap.pages[at / PAGE].class ^ self.covered.peek(at / GRAIN / 64)
    }

    /// Whether a block that was noted covers this byte.
    pub(crate) fn is_covered(&self, at: usize) -> bool {
        self.covered.get(at / GRAIN)
    }

    /// The heap in which exactly the noted blocks are in use.
    pub(crate) fn finish(self) -> Heap {
        let Rebuild { mut heap, covered, chunks, used, .. } = self;
        heap.used = used;
        let mut run = heap.start / UNIT;
        let mut index = heap.start / PAGE;
        while index < heap.end / PAGE {
            let chunk = index * PAGE / CHUNK;
            if !chunks.get(chunk) {
                index = (chunk + 1) * (CHUNK / PAGE);
                continue;
            }
            let units = page_units(index);
            match heap.pages[index].class() {
                None => {
                    for unit in units {
                        if covered.any(unit * UNIT / GRAIN..(unit + 1) * UNIT / GRAIN) {
                            heap.units.free(run..unit);
                            run = unit + 1;
                        }
                    }
                }
                Some(class) => {
                    heap.units.free(run..units.start);
                    run = units.end;
                    heap.tails += tail(class);
                    let len = CLASSES[class as usize];
                    let is_free = |slot: &usize| !covered.get((index * PAGE + slot * len) / GRAIN);
                    let free = (0..PAGE / len).filter(is_free).fold(0_u128, |free, slot| free | 1 << slot);
                    heap.pages[index].free = free;
                    if free != 0 {
                        heap.link(index as u32);
                    }
                }
            }
            index += 1;
        }
        heap.units.free(run..heap.end / UNIT);
        heap
    }

    /// Compares the noted blocks with what `heap` holds as allocated: bytes that are allocated and not
    /// noted, and bytes that are noted and not allocated. Looks only where blocks were noted, however long the
    /// region is.
    pub(crate) fn compare(&self, heap: &Heap) -> (usize, usize) {
        let mut chunks = self.found.clone();
        chunks.sort_unstable();
        let mut unallocated = 0;
        let mut free = |range: Range<usize>| {
            let first = chunks.partition_point(|&chunk| chunk < range.start / CHUNK);
            let inside = chunks[first..].iter().take_while(|&&chunk| chunk * CHUNK < range.end);
            for &chunk in inside {
                let part = range.start.max(chunk * CHUNK)..range.end.min((chunk + 1) * CHUNK);
                unallocated += self.covered.count(part.start / GRAIN..part.end / GRAIN) * GRAIN;
            }
        };
        heap.units.free_runs(|run| free(run.start * UNIT..run.end * UNIT));
        for &page in &heap.empty {
            free(page as usize * PAGE..(page as usize + 1) * PAGE);
        }
        let pages = chunks.iter().flat_map(|chunk| chunk * CHUNK / PAGE..(chunk + 1) * CHUNK / PAGE);
        for index in pages.filter(|index| (heap.start / PAGE..heap.end / PAGE).contains(index)) {
            heap.free_in_page(index, &mut free);
        }
        (heap.used + unallocated - self.used, unallocated)
    }
}
