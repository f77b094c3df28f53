//! What each operation on a log costs, in fences and flushed lines.

use crate::ops::{Op, Op::*, Root, State, start};
use indelible::Region;
use indelible::power::{self, Recorder};
use indelible_test_support::costs;

fn made(before: &[Op]) -> (Region<Root, Recorder>, State) {
    let mut region = power::region(1 << 16, Root::default()).unwrap();
    let mut state = start(&mut region, 4096);
    for op in before {
        state = op.run(&mut region, &state).unwrap();
    }
    (region, state)
}

/// Fences and flushed lines of one transaction after others.
fn cost(before: &[Op], op: Op) -> (usize, usize) {
    let (mut region, state) = made(before);
    costs::cost_of(&mut region, |region| drop(op.run(region, &state).unwrap()))
}

#[test]
fn fences_and_lines_of_each_operation() {
    // The second frame of 32 bytes is in the first's line.
    assert_eq!(cost(&[Append], Append), (1, 1));
    assert_eq!(cost(&[Append], Batch), (1, 1));
    assert_eq!(cost(&[Append, Same], Long), (1, 1));
    // Three words of the header, in a record of 72 bytes, and the header's line.
    assert_eq!(cost(&[Append, Append], Front), (1, 3));
    assert_eq!(cost(&[Append, Append], Back), (1, 2));
    // The record vouches for the frame.
    assert_eq!(cost(&[Append], AppendAndStore).0, 1);
    assert_eq!(cost(&[Append], Both).0, 1);
    assert_eq!(cost(&[Append, Append], Conflict).0, 1);
    assert_eq!(cost(&[Append, Append], Checkpoint).0, 1);
    assert_eq!(cost(&[Append], Abort), (0, 0));
}

/// 128 bytes and a header of 16.
#[test]
fn a_record_of_128_bytes_takes_three_lines_and_one_fence() {
    let (mut region, _) = made(&[]);
    let mut lines = 0;
    for _ in 0..16 {
        let cost = costs::cost(&mut region, |tx, root| root.a.append(tx, &[7; 128]).map(drop));
        assert_eq!(cost.0, 1);
        lines += cost.1;
    }
    assert_eq!(lines, 48);
}

#[test]
fn a_batch_of_records_is_one_fence() {
    let (mut region, _) = made(&[]);
    let cost =
        costs::cost(&mut region, |tx, root| root.a.append_all(tx, [[7_u8; 100].as_slice(); 20]).map(drop));
    assert_eq!(cost.0, 1);
    assert_eq!(region.root().a.len(), 20);
}
