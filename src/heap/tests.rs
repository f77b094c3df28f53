//! Properties of the heap.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

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
    let mut heap = Heap::new(PAGE..65 * PAGE);
    let small: Vec<usize> = (0..).map_while(|_| heap.allocate(40, 8)).collect();
    assert_eq!(small.len(), 64 * 64);
    assert_eq!(heap.allocate(40, 8), None);
    small.into_iter().for_each(|at| heap.free(at, 40, 8));
    assert_eq!(heap.allocate(64 * PAGE - HEADER, 8), Some(PAGE + HEADER));
    heap.extend(66 * PAGE);
    assert!(heap.allocate(3_000, 8).is_some());
}

#[test]
fn an_object_without_size_owns_a_word_at_any_alignment() {
    for align in (0..13).map(|log| 1 << log) {
        let mut heap = Heap::new(PAGE..65 * PAGE);
        let at = heap.allocate(0, align).unwrap();
        let footprint = Footprint::of(at, 0, align).unwrap();
        assert!(footprint.range().contains(&(at + 7)), "alignment {align}");
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
    for operation in 1..=1_200_000 {
        // Up for 60,000 operations, down for 60,000, and so on.
        let up = operation / 60_000 % 2 == 0;
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
        if operation % 60_000 == 0 {
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
    let (first, last) = (PAGE..17 * PAGE, PAGE..501 * PAGE);
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
