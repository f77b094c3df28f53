//! Properties of the heap.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
enum Step {
    Allocate(usize, usize),
    Free(usize),
    Rebuild,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = prop_oneof![0_usize..100, 0_usize..2_000, 0_usize..20_000];
    let align = prop_oneof![8 => Just(0_u32), 1 => 0_u32..13];
    let step = prop_oneof![
        6 => (size, align).prop_map(|(size, align)| Step::Allocate(size.next_multiple_of(1 << align), 1 << align)),
        4 => any::<usize>().prop_map(Step::Free),
        1 => Just(Step::Rebuild),
    ];
    proptest::collection::vec(step, 1..120)
}

proptest! {
    #[test]
    fn blocks_never_overlap_and_a_rebuilt_heap_is_the_same(steps in steps()) {
        let range = 3 * PAGE..40 * PAGE;
        let mut heap = Heap::new(range.clone());
        let mut live: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Allocate(size, align) => {
                    let Some(at) = heap.allocate(size, align) else { continue };
                    prop_assert!(at.is_multiple_of(align.max(16)));
                    if block::in_one_line(size) && align <= 32 {
                        prop_assert_eq!((at - HEADER) / 64, (at + size.max(8) - 1) / 64);
                    }
                    let footprint = Footprint::of(at, size, align).unwrap();
                    prop_assert!(footprint.range().start <= at - HEADER);
                    prop_assert!(footprint.range().end >= at + size.max(8));
                    prop_assert!(range.start <= footprint.range().start && footprint.range().end <= range.end);
                    for (&other, &(size, align)) in &live {
                        let other = Footprint::of(other, size, align).unwrap();
                        prop_assert!(
                            other.range().end <= footprint.range().start
                                || footprint.range().end <= other.range().start
                        );
                    }
                    live.insert(at, (size, align));
                }
                Step::Free(n) if !live.is_empty() => {
                    let at = *live.keys().nth(n % live.len()).unwrap();
                    let (size, align) = live.remove(&at).unwrap();
                    heap.free(at, size, align);
                }
                Step::Free(_) => {}
                Step::Rebuild => {
                    let mut rebuild = Rebuild::new(range.clone());
                    for (&at, &(size, align)) in &live {
                        prop_assert_eq!(rebuild.adopt(at, size, align), Ok(()));
                        prop_assert!(rebuild.is_covered(at));
                    }
                    prop_assert_eq!(rebuild.compare(&heap), (0, 0));
                    heap = rebuild.finish();
                }
            }
            let mut free = 0;
            heap.free_ranges(|range| free += range.len());
            prop_assert_eq!(free, heap.free_bytes());
        }
        for (at, (size, align)) in live {
            heap.free(at, size, align);
        }
        let mut free = 0;
        heap.free_ranges(|range| free += range.len());
        prop_assert_eq!(free, range.len());
    }
}

#[test]
fn a_freed_heap_holds_the_largest_object_again() {
    for last_first in [false, true] {
        let mut heap = Heap::new(PAGE..65 * PAGE);
        let mut small: Vec<usize> = (0..).map_while(|_| heap.allocate(40, 8)).collect();
        assert_eq!(small.len(), 64 * 64);
        assert_eq!(heap.allocate(40, 8), None);
        if last_first {
            small.reverse();
        }
        small.into_iter().for_each(|at| heap.free(at, 40, 8));
        assert_eq!(heap.allocate(64 * PAGE - HEADER, 8), Some(PAGE + HEADER));
        heap.extend(66 * PAGE);
        assert!(heap.allocate(3_000, 8).is_some());
    }
}

/// The classes are a part of the format: open checks where a block lies.
#[test]
fn a_block_of_at_most_1_024_bytes_lies_in_a_slot() {
    let slot = Footprint::Slot { class: 15, range: PAGE..PAGE + 1024 };
    assert_eq!(Footprint::of(PAGE + HEADER, 1024 - HEADER, 8), Some(slot));
    let units = Footprint::Units(PAGE..PAGE + 1280);
    assert_eq!(Footprint::of(PAGE + HEADER, 1025 - HEADER, 8), Some(units));
}

#[test]
fn an_object_without_size_owns_a_word_at_any_alignment() {
    for align in (0..13).map(|log| 1 << log) {
        let mut heap = Heap::new(PAGE..65 * PAGE);
        let at = heap.allocate(0, align).unwrap();
        let footprint = Footprint::of(at, 0, align).unwrap();
        assert!(footprint.range().contains(&(at + 7)), "alignment {align}");
        (0..5).for_each(|_| assert!(heap.allocate(0, align).is_some_and(|at| at.is_multiple_of(align))));
    }
}

#[test]
fn an_absurd_size_is_refused() {
    let mut heap = Heap::new(PAGE..2 * PAGE);
    for shift in [13, 32, 42, 50, 60] {
        assert_eq!(heap.allocate(1 << shift, 8), None);
        assert_eq!(heap.allocate(1 << shift, 4096), None);
    }
}

/// xorshift64, so that a run is the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }

    /// Mostly small objects, some of a few hundred bytes, few of several pages.
    fn size(&mut self) -> usize {
        match self.below(100) {
            0..70 => 8 + self.below(120),
            70..95 => 128 + self.below(900),
            _ => 1024 + self.below(15_000),
        }
    }
}

/// Live bytes over file bytes in a long run, whose live bytes go up and down between 4 and 8 MiB, and in
/// which sizes and lifetimes are mixed. The file grows by 64 KiB where nothing else helps, so that what it
/// has beyond the live bytes is fragmentation. `cargo test --lib fragmentation -- --nocapture` prints it.
#[test]
fn fragmentation_stays_bounded_in_a_long_run() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut end = 256 * PAGE;
    let mut heap = Heap::new(PAGE..end);
    let mut live: Vec<(usize, usize)> = Vec::new();
    let (mut live_bytes, mut peak, mut most_steps) = (0, 0, 0);
    println!("{:>10} {:>12} {:>12} {:>6}", "operations", "live bytes", "file bytes", "ratio");
    for operation in 1..=1_200_000_u32 {
        // Up for 60,000 operations, down for 60,000, and so on.
        let up = (operation / 60_000).is_multiple_of(2);
        let allocate =
            live_bytes < 4 << 20 || live_bytes < 8 << 20 && random.below(100) < if up { 65 } else { 35 };
        if allocate {
            let size = random.size();
            let at = loop {
                heap.units.steps.set(0);
                let found = heap.allocate(size, 8);
                most_steps = most_steps.max(heap.units.steps.get());
                match found {
                    Some(at) => break at,
                    None => {
                        end += 16 * PAGE;
                        heap.extend(end);
                    }
                }
            };
            live.push((at, size));
            live_bytes += size;
        } else {
            // Half of what is freed is young, half of any age.
            let young = live.len().min(64);
            let index = match random.below(2) {
                0 => live.len() - 1 - random.below(young),
                _ => random.below(live.len()),
            };
            let (at, size) = live.swap_remove(index);
            heap.free(at, size, 8);
            live_bytes -= size;
        }
        peak = peak.max(live_bytes);
        if operation.is_multiple_of(60_000) {
            println!("{operation:>10} {live_bytes:>12} {end:>12} {:>6.3}", live_bytes as f64 / end as f64);
        }
    }
    let ratio = peak as f64 / end as f64;
    println!("at the peak {peak} live bytes of {end}: {ratio:.3}; at most {most_steps} runs looked at");
    assert!(ratio > 0.7, "{peak} live bytes of {end}");
    // Each search looks at no more than eight runs of each of a few bins.
    assert!(most_steps <= 2 * 10 * 8, "{most_steps}");
}

/// What no allocation has touched costs nothing, and growth copies nothing that was not touched.
#[test]
fn a_table_keeps_what_it_has_when_it_grows() {
    let mut table: Zeroed<u64> = Zeroed::new(1_000);
    table[999] = 7;
    for len in [1_001, 300_000, (1 << 22) + 5, (2 << 22) + 1, 3 << 22] {
        let last = table.len() - 1;
        table[last] += 1;
        table.extend(len);
        assert_eq!((table.len(), table[last] > 0, table[last + 1], table[len - 1]), (len, true, 0, 0));
    }
    assert_eq!(table[999], 8);
    assert_eq!(table[(1 << 22) + 4], 1);
}

/// What is kept back is a part of what there is now, and not of what there was.
#[test]
fn a_heap_that_grew_keeps_back_as_much_as_one_that_was_made_so() {
    let (first, last) = (90 * PAGE..106 * PAGE, 90 * PAGE..590 * PAGE);
    let (mut grown, mut made) = (Heap::new(first), Heap::new(last.clone()));
    grown.extend(last.end);
    let mut low = 0;
    while let Some(at) = made.allocate(PAGE - HEADER, 16) {
        assert_eq!(grown.allocate(PAGE - HEADER, 16), Some(at));
        assert_eq!((grown.is_low(), grown.missing()), (made.is_low(), made.missing()));
        low += usize::from(made.is_low());
    }
    assert!(low > 10, "{low} allocations from what is kept back");
}

/// An object that fills so many bytes of units.
fn fill(heap: &mut Heap, bytes: usize) -> usize {
    heap.allocate(bytes - HEADER, 16).expect("room")
}

fn fill_pages(heap: &mut Heap, count: usize) {
    for _ in 0..count {
        fill(heap, PAGE);
    }
}

fn footprint(at: usize, bytes: usize) -> Footprint {
    Footprint::of(at, bytes - HEADER, 16).expect("it came from a heap")
}

#[test]
fn a_heap_is_low_when_it_has_fewer_pages_than_its_reserve() {
    let mut heap = Heap::new(PAGE..61 * PAGE);
    assert_eq!(heap.reserve, 10);
    fill_pages(&mut heap, 50);
    assert_eq!((heap.is_low(), heap.missing()), (false, 0));
    // A page that is kept back for slots counts too.
    let slot = heap.allocate(40, 8).expect("room");
    assert_eq!((heap.is_low(), heap.missing()), (true, PAGE));
    heap.free(slot, 40, 8);
    assert_eq!((heap.empty.len(), heap.is_low(), heap.missing()), (1, false, 0));
    fill_pages(&mut heap, 2);
    assert_eq!((heap.is_low(), heap.missing()), (true, 2 * PAGE));
}

/// A heap of 60 pages in which every page is half full or full, and so many are half full.
fn heap_of_halves(half_full: usize) -> (Heap, Vec<usize>) {
    let mut heap = Heap::new(PAGE..61 * PAGE);
    let halves: Vec<usize> = (0..120).map(|_| fill(&mut heap, PAGE / 2)).collect();
    let mut second: Vec<usize> = halves.into_iter().filter(|at| at % PAGE > PAGE / 2).collect();
    assert_eq!(second.len(), 60);
    second.drain(..half_full).for_each(|at| heap.free(at, PAGE / 2 - HEADER, 16));
    (heap, second)
}

#[test]
fn a_heap_with_twice_its_reserve_in_parts_of_pages_is_not_low() {
    assert!(heap_of_halves(39).0.is_low());
    assert!(!heap_of_halves(40).0.is_low());
}

/// What a transaction took that may commit anyway is more than what it gives back.
#[test]
fn a_reserve_that_is_whole_after_a_commit_pays_for_it() {
    let taken = || std::iter::once(footprint(PAGE + HEADER, 9 * PAGE));
    // Of ten pages of the reserve there are seven among the units, and one is kept back.
    let mut heap = Heap::new(PAGE..61 * PAGE);
    let two: Vec<usize> = (0..26).map(|_| fill(&mut heap, 2 * PAGE)).collect();
    let slot = heap.allocate(40, 8).expect("room");
    heap.free(slot, 40, 8);
    assert_eq!((heap.units.pages(), heap.empty.len()), (7, 1));
    let one = std::iter::once(footprint(two[3], PAGE));
    assert!(!heap.is_paid_for(taken(), one), "nine pages");
    assert!(heap.is_paid_for(taken(), std::iter::once(footprint(two[3], 2 * PAGE))), "ten pages");

    // Twenty pages of 60 in halves; the whole ones are none.
    let (heap, rest) = heap_of_halves(38);
    let given = |count| rest[..count].iter().map(|&at| footprint(at, PAGE / 2));
    assert!(!heap.is_paid_for(taken(), given(1)), "39 halves");
    assert!(heap.is_paid_for(taken(), given(2)), "40 halves");
}

/// A heap of eight pages that small objects fill.
fn full_heap() -> (Heap, Vec<usize>) {
    let mut heap = Heap::new(PAGE..9 * PAGE);
    let small: Vec<usize> = (0..).map_while(|_| heap.allocate(40, 8)).collect();
    assert_eq!(small.len(), 8 * 64);
    (heap, small)
}

#[test]
fn every_slot_that_was_freed_is_given_out_again() {
    for step in 1..20 {
        let (mut heap, small) = full_heap();
        // Pages get free slots in one order, and are full again in another.
        for round in 0..3 {
            let mut freed: BTreeSet<usize> = small.iter().copied().skip(round).step_by(step).collect();
            let (even, odd): (Vec<_>, Vec<_>) = freed.iter().partition(|&&at| (at / PAGE).is_multiple_of(2));
            odd.into_iter().chain(even).for_each(|at| heap.free(at, 40, 8));
            // One page of those that have free slots becomes empty.
            let page = small.iter().filter(|&at| at / PAGE == 3 + round);
            page.for_each(|&at| {
                if freed.insert(at) {
                    heap.free(at, 40, 8);
                }
            });
            let again: BTreeSet<usize> = (0..).map_while(|_| heap.allocate(40, 8)).collect();
            assert_eq!(again, freed);
        }
    }
}

#[test]
fn every_slot_that_was_not_noted_is_given_out_by_a_rebuilt_heap() {
    // With the last of them most pages are full.
    for step in (2..20).chain([192]) {
        let (heap, small) = full_heap();
        let mut rebuild = Rebuild::new(heap.start..heap.end);
        let (free, used): (Vec<_>, Vec<_>) =
            small.iter().enumerate().partition(|(index, _)| index.is_multiple_of(step));
        used.into_iter().for_each(|(_, &at)| rebuild.adopt(at, 40, 8).expect("it came from a heap"));
        let mut heap = rebuild.finish();
        let again: BTreeSet<usize> = (0..).map_while(|_| heap.allocate(40, 8)).collect();
        assert_eq!(again, free.into_iter().map(|(_, &at)| at).collect());
    }
}

/// Blocks in several chunks, of which some were not reached, and some are free.
#[test]
fn what_was_noted_is_compared_with_what_is_allocated() {
    let mut heap = Heap::new(PAGE..769 * PAGE);
    let sizes = [40, 72, 700, 1_000, 3_000, 20_000, 200_000];
    let blocks: Vec<(usize, usize)> = (0..110)
        .map(|index| sizes[index % sizes.len()])
        .map_while(|size| Some((heap.allocate(size, 8)?, size)))
        .collect();
    assert!(blocks.len() > 70 && blocks.iter().any(|&(at, _)| at > 2 << 20));
    // These have pages of their own, which are empty in the end.
    let own: Vec<(usize, usize)> = (0..8).map(|_| (heap.allocate(600, 8).expect("room"), 600)).collect();

    let mut rebuild = Rebuild::new(PAGE..769 * PAGE);
    let (mut unreached, mut unallocated) = (0, 0);
    let cases = blocks
        .iter()
        .enumerate()
        .map(|(index, &block)| (block, !index.is_multiple_of(3), !index.is_multiple_of(5)));
    let cases: Vec<_> = cases.chain(own.iter().map(|&block| (block, true, false))).collect();
    // From the last to the first: the order in which blocks are noted does not matter.
    for ((at, size), is_noted, is_allocated) in cases.into_iter().rev() {
        let len = Footprint::of(at, size, 8).expect("it came from a heap").range().len();
        if is_noted {
            rebuild.adopt(at, size, 8).expect("it came from a heap");
        }
        if !is_allocated {
            heap.free(at, size, 8);
        }
        unreached += if is_allocated && !is_noted { len } else { 0 };
        unallocated += if is_noted && !is_allocated { len } else { 0 };
    }
    assert!(heap.empty.len() > 1);
    assert_eq!(rebuild.compare(&heap), (unreached, unallocated));
}

#[test]
fn a_block_where_no_heap_would_put_it_is_not_noted() {
    let heap = 2 * PAGE..40 * PAGE;
    let (slot, large) = (PAGE + 16, 12 * PAGE - HEADER);
    let inside = Err("a block inside the heap");
    let overlaps = Err("memory that no other object has");
    let no_place = Err("a place that the heap gives to such an object");
    type Case<'a> = (&'a [(usize, usize)], (usize, usize), Result<(), &'a str>);
    let cases: [Case<'_>; 14] = [
        (&[], (PAGE + HEADER, large), inside),
        (&[], (28 * PAGE + HEADER, large), Ok(())),
        (&[], (28 * PAGE + HEADER, large + 1), inside),
        (&[], (29 * PAGE + HEADER, large), inside),
        (&[], (slot, 40), inside),
        (&[], (2 * PAGE + 8, 40), no_place),
        (&[], (2 * PAGE + 32 + 16, 40), no_place),
        // Behind the last of 42 slots.
        (&[], (2 * PAGE + 42 * 96 + 16, 70), no_place),
        // Three words of the table, of which one has something already: the last, the first.
        (&[(4 * PAGE + HEADER, large)], (15 * PAGE + HEADER, large), overlaps),
        (&[(15 * PAGE + HEADER, large)], (4 * PAGE + HEADER, large), overlaps),
        (&[(4 * PAGE + HEADER, large)], (16 * PAGE + HEADER, large), Ok(())),
        (&[(2 * PAGE + 16, 40)], (2 * PAGE + 16, 100), Err("a slot of its page's size")),
        (
            &[(5 * PAGE + HEADER, 2_000)],
            (5 * PAGE + 3 * PAGE / 4 + 16, 40),
            Err("a page that no large object lies in"),
        ),
        (
            &[(5 * PAGE + 16, 40)],
            (5 * PAGE + PAGE / 2 + HEADER, 2_000),
            Err("pages that no small object lies in"),
        ),
    ];
    for (before, (at, size), expected) in cases {
        let mut rebuild = Rebuild::new(heap.clone());
        before.iter().for_each(|&(at, size)| rebuild.adopt(at, size, 16).expect("it is the first"));
        assert_eq!(rebuild.adopt(at, size, 16), expected, "{at:#x}, behind {before:x?}");
    }
}

/// Chunks without blocks lie before, between and behind those with some.
#[test]
fn a_heap_is_rebuilt_from_blocks_that_lie_far_from_each_other() {
    let range = PAGE..2_000 * PAGE;
    let blocks = [
        (300 * PAGE + HEADER, 5 * PAGE),
        (310 * PAGE + 16, 40),
        (310 * PAGE + 5 * 64 + 16, 40),
        (900 * PAGE + 3 * UNIT + HEADER, 2_000),
        (1_400 * PAGE + 16, 700),
    ];
    let noted = || {
        let mut rebuild = Rebuild::new(range.clone());
        blocks.iter().for_each(|&(at, size)| rebuild.adopt(at, size, 16).expect("a good place"));
        rebuild
    };
    let mut heap = noted().finish();
    assert_eq!(noted().compare(&heap), (0, 0));
    let lens = blocks.map(|(at, size)| Footprint::of(at, size, 16).expect("a good place").range().len());
    let mut free = 0;
    heap.free_ranges(|range| free += range.len());
    // Pages of 768-byte slots have 256 bytes behind the last.
    assert_eq!(free, range.len() - lens.iter().sum::<usize>() - tail(14));
    assert_eq!(free, heap.free_bytes());
    assert!(heap.allocate(590 * PAGE, 16).is_some(), "from the last of them to the end");
}
