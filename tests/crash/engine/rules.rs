//! The rules of the commit (docs/design.md, 7.17), broken one by one: each is missed.

use crate::ops::{Op, explorer, going_on};
use indelible::power::Rule;

/// Explores workloads without a rule until one goes wrong; what it was.
fn find(rule: Rule, depth: usize, programs: &[&[Op]], then: &[Op]) -> Option<String> {
    programs.iter().find_map(|program| {
        let explorer = going_on(explorer(program.to_vec()), then.to_vec()).depth(depth).without(rule);
        explorer.run().failure().map(|failure| failure.message().to_string())
    })
}

macro_rules! missed {
    ($($name:ident: $rule:ident, depth $depth:literal, $($program:expr),+ => $then:expr;)*) => {$(
        #[test]
        fn $name() {
            let programs: &[&[Op]] = &[$(&$program),+];
            let found = find(Rule::$rule, $depth, programs, &$then);
            assert!(found.is_some(), "nobody missed rule {:?}", Rule::$rule);
            println!("{:?}: {}", Rule::$rule, found.unwrap());
        }
    )*};
}

use Op::*;

missed! {
    records_are_checksummed: Checksum, depth 1, [StoreBoth, StoreBoth] => [];
    retired_records_are_dead: AboveRetired, depth 1, [StoreBoth, Abort, Store] => [];
    two_slots_are_used_in_turn: TwoSlots, depth 1, [Push, StoreInNodeAndRoot, StoreBoth] => [];
    the_record_is_fenced_before_it_is_applied: CommitPoint, depth 1, [StoreBoth] => [];
    staged_objects_are_fenced_first: CoveringFence, depth 1, [PushStaged] => [];
    words_are_settled_by_a_fence: Settled, depth 1, [StoreBoth, Store], [StoreBoth, StoreOther] => [];
    a_lone_store_retires_the_record: LoneRetires, depth 1, [StoreBoth, Abort, Store] => [];
    a_lone_store_waits_for_settling: LoneUnsettled, depth 1, [StoreBoth, Store] => [];
    blocks_are_not_reused_under_a_record: RetireBeforeAllocation, depth 1,
        [Push, StoreInNodeAndRoot, PopAndStore, PushOther], [Push, StoreInNodeAndRoot, Pop, PushOther] => [];
    a_record_is_retired_when_settled: RetireSettled, depth 1, [StoreBoth] => [];
    another_thread_flushes_again: HandOver, depth 1,
        [StoreBoth, StoreElsewhere], [StoreBoth, PushElsewhere, StoreBoth] => [];
    another_thread_flushes_ret_again: HandOverRetired, depth 1,
        [Push, StoreInNodeAndRoot, PopAndStore, AbortUnfenced, PushOtherElsewhere] => [];
    both_records_are_replayed: ReplayAll, depth 1, [StoreBoth, Push, PopAndStore, StoreBoth],
        [StoreBoth, StoreOther, StoreInNodeAndRoot] => [];
    slots_are_durable_before_the_replay: SlotsFirst, depth 2, [StoreBoth], [StoreBoth, StoreBoth] => [];
    what_recovery_reads_is_flushed: FlushWalk, depth 2, [Store], [Push] => [Store];
    replayed_words_are_durable_before_retiring: RetireReplayed, depth 2, [StoreBoth] => [];
    every_open_uses_up_a_number: BurnNumber, depth 2, [StoreBoth] => [StoreBoth];
    words_of_freed_blocks_are_dropped: DropFreed, depth 1, [Push, StoreInFreed, PushOther] => [];
}
