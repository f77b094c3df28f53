//! The rules that make logs right (docs/design.md, 9.11), broken one by one: each is missed.

use crate::ops::{Op, Op::*, explorer};
use indelible::power::Rule;

/// Explores without a rule; what went wrong.
fn find(rule: Rule, program: &[Op], then: &[Op], capacity: u64) -> String {
    let with = explorer(program, then, capacity).run().assert();
    assert!(with.is_exhaustive(), "{with}");
    let report = explorer(program, then, capacity).without(rule).run();
    let failure = report.failure().unwrap_or_else(|| panic!("nobody missed rule {rule:?}"));
    failure.message().to_string()
}

macro_rules! missed {
    ($($name:ident: $rule:ident, $program:expr, $capacity:literal => $then:expr;)*) => {$(
        #[test]
        fn $name() {
            println!("{:?}: {}", Rule::$rule, find(Rule::$rule, &$program, &$then, $capacity));
        }
    )*};
}

missed! {
    frames_of_an_earlier_lap_are_dead: FramePlace, [Append, Append, Front, Append], 64 => [];
    frames_behind_a_cut_are_dead: FrameEpoch, [Append, Same, Back], 128 => [];
    a_frame_comes_with_the_words_of_its_transaction: FrameInRecord, [AppendAndStore], 128 => [];
    a_frame_in_a_record_is_content: FrameListed, [AppendAndStore], 128 => [];
    a_lone_frame_is_in_no_record: LoneFrame, [AppendAndStore, Append, Front, Append], 64 => [];
    what_is_truncated_stays_until_the_commit: FrameBehind, [Append, Append, Conflict], 192 => [];
    accepted_frames_are_durable: FlushFrames, [Append, Append], 128 => [Store];
    a_rejected_frame_stays_rejected: ForgetRejected, [Append, Half], 128 => [Half];
    a_frame_behind_a_rejected_skip_stays_rejected: ForgetSkipped, [Batch, Append, Append, Front, Long], 128 => [Long];
}
