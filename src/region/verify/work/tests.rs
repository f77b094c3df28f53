//! The bits that objects wait in, and the types that they are told apart by.

use super::*;
use crate::persistent::Target;
use std::collections::BTreeSet;

#[test]
fn what_waits_as_a_bit_is_found_again_once() {
    let len = 5 * CHUNK + PAGE;
    let mut waiting = Waiting::new(len);
    let mut expected = BTreeSet::new();
    for round in 0..7 {
        for at in (round * 48 + GRANULE..len).step_by(7_920) {
            if expected.insert(at / GRANULE * GRANULE) {
                waiting.add(at / GRANULE * GRANULE);
            }
        }
        let mut taken = 0;
        waiting.take(300, |at| {
            assert!(expected.remove(&at));
            taken += 1;
        });
        assert_eq!(taken, 300);
    }
    waiting.take(usize::MAX, |at| assert!(expected.remove(&at)));
    assert!(expected.is_empty());
    assert_eq!(waiting.total, 0);
    waiting.take(1, |_| panic!("there is none"));
}

#[test]
fn types_with_one_fingerprint_are_told_apart() {
    fn leaked(of: &'static TypeInfo, fingerprint: u64) -> &'static TypeInfo {
        Box::leak(Box::new(TypeInfo {
            name: of.name,
            args: of.args,
            kind: crate::persistent::Kind::Leaf,
            size: of.size,
            align: of.align,
            fingerprint,
            cells: of.cells,
            visit: of.visit,
        }))
    }
    let (first, second, third) =
        (leaked(u64::target_info(), 1), leaked(u32::target_info(), 1), leaked(u16::target_info(), 2));
    let mut work = Work::new(CHUNK);
    for (at, info) in [(4096, first), (4128, second), (4160, third), (4192, leaked(second, 1))] {
        work.wait(at, info);
    }
    // They wait once more where they have to make room again.
    work.next_batch();
    let again: Vec<Task> = std::iter::from_fn(|| work.pop()).collect();
    assert_eq!(again.len(), 4);
    again.into_iter().for_each(|task| work.wait_again(task));
    let mut found = Vec::new();
    for _ in 0..4 {
        if work.is_batch_done() {
            work.next_batch();
        }
        let task = work.pop().expect("four wait");
        let fingerprint = if task.at == 4160 { 2 } else { 1 };
        let info = work.types.get(fingerprint, task.waited().unwrap()).unwrap();
        found.push((task.at, info.size));
    }
    assert!(work.next_batch().is_empty());
    found.sort_unstable();
    assert_eq!(found, [(4096, 8), (4128, 4), (4160, 2), (4192, 4)]);
}
