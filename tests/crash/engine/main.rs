//! The engine under the explorer: every kind of transaction, alone and mixed, in every crash image.

mod content;
mod lines;
mod ops;
mod rules;

use indelible::power::{Before, Explorer, Model, Report};
use indelible_test_support::{chance::Chance, total::Total};
use ops::{Forest, Op, State, explorer, going_on};
use std::collections::BTreeSet;

fn run(program: &[Op], set: impl Fn(Explorer<Forest, State>) -> Explorer<Forest, State>) -> Report {
    set(explorer(program.to_vec())).run()
}

#[test]
fn every_pair_of_transactions_is_failure_atomic() {
    let mut total = Total::default();
    for &first in Op::ALL {
        for &second in Op::ALL {
            let program = [first, second];
            total.add(&run(&program, |explorer| explorer), &program);
        }
    }
    total.print("pairs, depth 2, kills");
}

#[test]
fn models() {
    for model in [Model::X86, Model::Eadr] {
        let mut total = Total::default();
        for &first in Op::ALL {
            let program = [Op::StoreBoth, first, Op::PushAndStore, Op::Pop];
            total.add(&run(&program, |explorer| explorer.model(model).depth(1)), &program);
        }
        total.print(&format!("{model:?}"));
    }
}

/// Workloads of four, by a fixed chance, with more transactions after each recovery.
#[test]
fn mixed_workloads_go_on_after_recovery() {
    let mut chance = Chance::new(1);
    let mut op = move || chance.of(Op::ALL);
    let mut total = Total::default();
    for _ in 0..60 {
        let program = [op(), op(), op(), op()];
        let then = vec![op(), op()];
        let name = (program, then.clone());
        total.add(&run(&program, |explorer| going_on(explorer, then.clone())), &name);
    }
    total.print("fours, going on, depth 2");
}

/// So many words alone that the records in their way are retired.
#[test]
fn records_that_are_in_the_way_are_retired() {
    let mut program = vec![Op::StoreBoth];
    program.extend([Op::Store; 18]);
    program.extend([Op::PushStaged, Op::StoreInNodeAndRoot, Op::Store]);
    let report = run(&program, |explorer| explorer.depth(1));
    assert!(report.assert().is_exhaustive());
    let mutants = explorer(program).depth(1).mutants();
    let noticed: BTreeSet<String> = mutants.noticed().map(|mutant| mutant.site().to_string()).collect();
    let survived: Vec<String> = mutants.survivors().map(|mutant| mutant.site().to_string()).collect();
    let never: Vec<_> =
        survived.iter().filter(|site| !noticed.contains(*site) && site.contains("journal")).collect();
    assert!(never.is_empty(), "flushes or fences that nothing needs: {never:?}");
}

/// The same, where what is in the way lies in a block that is used again: it is retired durably before the new object's link.
#[test]
fn records_in_the_way_of_a_new_object_are_retired_first() {
    let mut program = vec![Op::Push, Op::StoreInNodeAndRoot];
    program.extend([Op::StoreInNode; 14]);
    program.extend([Op::Pop, Op::PushOther]);
    let report = run(&program, |explorer| explorer.depth(1));
    assert!(report.assert().is_exhaustive());
}

#[test]
fn creation_shows_nothing_half_made() {
    let mut total = Total::default();
    for before in [Before::Zeros, Before::Rubbish] {
        total.add(&run(&[Op::Push, Op::StoreBoth], |explorer| explorer.creation(before)), &before);
    }
    total.print("creation");
}

#[test]
fn growth_loses_nothing() {
    let mut total = Total::default();
    let program = [Op::StoreBoth, Op::Grow, Op::Push, Op::StoreInNodeAndRoot];
    // Without kills: the object that forces growth has thousands of stores, which nothing reaches.
    total.add(&run(&program, |explorer| explorer.kills(false)), &program);
    total.print("growth");
}

#[test]
fn a_file_system_that_syncs_at_open_needs_no_flush_of_the_walk() {
    let mut total = Total::default();
    let program = [Op::StoreBoth, Op::Push, Op::PopAndStore, Op::PushTwo];
    total.add(&run(&program, |explorer| going_on(explorer.file_system(), vec![Op::StoreBoth])), &program);
    total.print("fsync at open");
}

/// Each line of the engine that flushes or fences is missed by some workload.
#[test]
fn every_flush_and_fence_of_the_engine_is_needed() {
    use Op::*;
    let workloads: &[(&[Op], &[Op])] = &[
        (
            &[StoreBoth, Push, StoreInNodeAndRoot, PopAndStore, PushTwo, Store],
            &[PushAndStore, StoreBothElsewhere],
        ),
        (&[StoreBoth, Abort, Store], &[StoreBoth, StoreElsewhere]),
        (&[StoreBoth, PushOtherElsewhere, Store], &[StoreBoth, StoreOther, StoreBoth]),
        (&[Push, StoreInNodeAndRoot, PopAndStore, AbortUnfenced, PushOtherElsewhere], &[]),
        (&[PushTwo], &[]),
        (&[StoreBoth, StoreElsewhere, StoreBoth], &[]),
        (&[PushStaged, PushPair, StoreInNode, NewFreeBoth], &[PushPair, StoreInNode]),
    ];
    let mut noticed = BTreeSet::new();
    let mut survived = BTreeSet::new();
    for (program, then) in workloads {
        let mutants = going_on(explorer(program.to_vec()), then.to_vec()).mutants();
        noticed.extend(mutants.noticed().map(|mutant| mutant.site().to_string()));
        survived.extend(mutants.survivors().map(|mutant| mutant.site().to_string()));
    }
    for before in [Before::Zeros, Before::Rubbish] {
        let mutants = explorer(vec![Push, StoreBoth]).creation(before).mutants();
        noticed.extend(mutants.noticed().map(|mutant| mutant.site().to_string()));
        survived.extend(mutants.survivors().map(|mutant| mutant.site().to_string()));
    }
    println!("missed when left out: {noticed:#?}");
    let never: Vec<_> = survived.difference(&noticed).filter(|site| site.starts_with("src/")).collect();
    println!("never missed: {never:#?}");
    assert!(never.is_empty(), "flushes or fences that nothing needs: {never:?}");
}
