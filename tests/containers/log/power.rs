//! Every crash image of transactions on logs: power failures, kills, and crashes inside recovery.

use crate::ops::{Op, Op::*, explorer};
use indelible::power::Model;
use indelible_test_support::{
    chance::Chance,
    long::{is_long, short_or},
    total::Total,
};
use std::collections::BTreeSet;

#[test]
fn every_pair_of_transactions_after_three_records() {
    let mut total = Total::default();
    for (number, &first) in Op::ALL.iter().enumerate() {
        // Each before and after some others.
        for &second in Op::ALL.iter().skip(short_or(number % 5, 0)).step_by(short_or(5, 1)) {
            let program = [Append, Batch, Same, first, second];
            total.add(&explorer(&program, &[], 192).run(), &program);
        }
    }
    total.print("pairs, depth 2, kills");
}

/// Words of frames that a record of the journal still holds, where frames or other objects lie later.
#[test]
fn a_record_of_the_journal_does_not_store_over_what_came_later() {
    let mut total = Total::default();
    for (program, capacity) in [
        (&[Batch, ShortenAndClear, Append, Append][..], 64),
        (&[Store, Batch, ShortenAndClear, Append, Append], 64),
        (&[Append, Batch, BackTwice, Append, Append], 128),
        (&[Batch, BackTwice, Long, Append], 128),
        (&[Append, AppendAndDestroy, Create, Append, Append], 192),
        (&[Append, Append, AppendAndDestroy, Create, Append, Long, Append], 192),
        (&[Append, Half, Append, Destroy, Create, Append, Append], 192),
        (&[Both, Both, Clear, AppendAndDestroy, ResizeOther, Both], 192),
        (&[Append, Append, FrontAndAppend, Append], 64),
        (&[AppendAndStore, FrontAndAppend, FrontAndAppend, Append, FrontAndAppend], 128),
    ] {
        total.add(&explorer(program, &[], capacity).run(), &program);
        total.add(&explorer(program, &[Append, Store], capacity).run(), &program);
    }
    total.print("later frames");
}

/// What a kill left is in the caches as a whole, and so open believes it: then all of its lines must become durable
/// before anything is built on it.
#[test]
fn a_frame_of_several_lines_that_open_accepts_is_durable() {
    let mut total = Total::default();
    for (program, then) in [
        (&[Append, Lines][..], &[Store][..]),
        (&[Lines, Lines], &[Append]),
        (&[Lines, Store, Lines], &[Lines]),
        // Behind a skip, which leads over the end of the ring.
        (&[Lines, Lines, Front, Lines], &[Store]),
    ] {
        total.add(&explorer(program, then, 448).run(), &(program, then));
    }
    total.print("frames of several lines");
}

/// The first record that stays is not the first of its frame, and then it goes too, from the back: the frame that
/// comes next is not the place of the old one's first record.
#[test]
fn a_log_that_is_emptied_from_the_back_goes_on_with_its_numbers() {
    let mut total = Total::default();
    for (program, then) in [
        (&[Batch, Front, BackAll, Append][..], &[Append][..]),
        (&[Append, Batch, Front, BackAll], &[Lines, Back]),
        (&[Batch, Front, Back, Lines], &[Store]),
    ] {
        total.add(&explorer(program, then, 448).run(), &(program, then));
    }
    total.print("emptied from the back");
}

#[test]
fn models() {
    for model in [Model::X86, Model::Eadr] {
        let mut total = Total::default();
        for &first in Op::ALL {
            for &second in &[Append, Batch, Conflict, AppendAndStore, Front][..short_or(1, 5)] {
                let program = [Append, Same, first, second];
                total.add(&explorer(&program, &[Append], 192).model(model).run(), &(model, program));
            }
        }
        total.print(&format!("{model:?}"));
    }
}

/// Workloads of five, by a fixed chance, on rings in which two to six frames have room, with more transactions
/// after each recovery.
#[test]
fn mixed_workloads_go_on_after_recovery() {
    let mut chance = Chance::new(1);
    let mut total = Total::default();
    for _ in 0..short_or(10, 40) {
        let program: Vec<Op> = (0..5).map(|_| chance.of(Op::ALL)).collect();
        let then = [chance.of(Op::ALL), chance.of(Op::ALL)];
        let capacity = chance.of(&[64, 128, 192]);
        let report = explorer(&program, &then, capacity).run();
        total.add(&report, &(program, then, capacity));
    }
    total.print("fives, going on, depth 2");
}

/// Each line that flushes or fences for a log is missed by some workload.
#[test]
fn every_flush_and_fence_of_a_log_is_needed() {
    let workloads: &[(&[Op], &[Op], u64)] = &[
        (&[Append, Append, Append, Front, Long, Append], &[Append], 128),
        (&[AppendAndStore, Both, Conflict, Back, Append], &[Half], 192),
        (&[Append, Half], &[Half], 128),
        (&[AppendAndStore, Append, Front, Append], &[], 64),
        (&[Batch, Append, Append, Front, Long], &[Long], 128),
        (&[Append, Half, Long, Append, Destroy, Create], &[Append], 192),
    ];
    let mut noticed = BTreeSet::new();
    let mut survived = BTreeSet::new();
    for (program, then, capacity) in &workloads[..short_or(1, workloads.len())] {
        let mutants = explorer(program, then, *capacity).mutants();
        assert_eq!(mutants.unchecked().count(), 0, "{mutants}");
        noticed.extend(mutants.noticed().map(|mutant| mutant.site().to_string()));
        survived.extend(mutants.survivors().map(|mutant| mutant.site().to_string()));
    }
    println!("missed when left out: {noticed:#?}");
    let ours = |site: &&String| {
        ["ring", "staging", "collections", "engine.rs"].iter().any(|part| site.contains(part))
    };
    if !is_long() {
        return; // one workload needs some of them only
    }
    let never: Vec<_> = survived.difference(&noticed).filter(ours).collect();
    assert!(never.is_empty(), "flushes or fences that nothing needs: {never:?}");
    assert!(noticed.iter().filter(ours).count() >= 5, "{noticed:?}");
}
