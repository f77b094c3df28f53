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
    retired_records_are_dead: AboveRetired, depth 2, [StoreBoth] => [Store];
    two_slots_are_used_in_turn: TwoSlots, depth 1, [Push, StoreInNodeAndRoot, StoreBoth] => [];
    the_record_is_fenced_before_it_is_applied: CommitPoint, depth 1, [StoreBoth] => [];
    what_is_freed_again_is_no_content: ListFreed, depth 1, [NewFreeBoth, NewFreeBoth] => [];
    changed_objects_are_fenced_first: CoveringFence, depth 1, [PushTwo] => [];
    a_lone_word_is_in_no_record: LoneWord, depth 1, [StoreBoth, Store] => [];
    a_lone_word_is_no_content: LoneContent, depth 1, [PushStaged, StoreInNode] => [];
    a_new_block_is_in_no_record: LoneAllocated, depth 1, [Push, StoreInNodeAndRoot, PopAndStore, PushOther] => [];
    a_freed_block_is_in_no_record: LoneFreed, depth 1, [Push, StoreInNodeAndRoot, Pop, PushOther] => [];
    words_are_flushed_before_their_record_is_overwritten: FlushLate, depth 1, [StoreBoth, Store, Store] => [];
    the_newest_record_shows_its_content: Content, depth 1, [PushStaged] => [];
    the_older_record_needs_no_content: Witness, depth 2, [PushStaged, StoreInNodeAndRoot] => [];
    the_content_that_recovery_goes_by_is_flushed: FlushContent, depth 2, [PushStaged] => [];
    both_records_are_replayed: ReplayAll, depth 1, [StoreBoth, Push, PopAndStore, StoreBoth],
        [StoreBoth, StoreOther, StoreInNodeAndRoot] => [];
    slots_are_durable_before_the_replay: SlotsFirst, depth 2, [StoreBoth], [StoreBoth, StoreBoth] => [];
    what_recovery_reads_is_flushed: FlushWalk, depth 2, [Store], [Push] => [Store];
    replayed_words_are_durable_before_retiring: RetireReplayed, depth 2, [StoreBoth] => [];
    every_open_uses_up_a_number: BurnNumber, depth 2, [StoreBoth] => [StoreBoth];
    words_of_freed_blocks_are_dropped: DropFreed, depth 1, [Push, StoreInFreed, PushOther] => [];
}
