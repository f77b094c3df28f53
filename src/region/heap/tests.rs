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
