//! [`Observe`]: what only the explorer asks for. Every medium but the explorer's recorder leaves all of it at the
//! defaults, which do nothing and are compiled to nothing.

use std::ops::Range;
use std::panic::Location;

/// Where in the program an event comes from.
pub(crate) type Origin = &'static Location<'static>;

/// Whether words verify; it is given what reads the word at an offset.
pub(crate) type Valid<'a> = &'a dyn Fn(&dyn Fn(usize) -> u64) -> bool;

/// A rule of the commit protocol. The explorer can break each, on a recorder only, to show that it stands for
/// a reason: everywhere else the question is answered at compile time. What goes wrong without each, and which fence
/// pays for it, is in docs/design.md, 7.17 and 9.11; the numbers below are those of 7.1 to 7.12 there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(dead_code, reason = "named by the explorer only")]
#[doc(hidden)]
pub enum Rule {
    /// 1: a record counts only if its checksum is right.
    Checksum,
    /// 1: a record counts only if its number is above `RET`.
    AboveRetired,
    /// 2: record N + 1 goes to the slot that does not hold N.
    TwoSlots,
    /// 2: the record is fenced before its words are applied.
    CommitPoint,
    /// 3: a block that the transaction frees itself is no content.
    ListFreed,
    /// 3: what is published and is no content is fenced before the record is stored.
    CoveringFence,
    /// 4: a word goes alone only if no record has an entry for it.
    LoneWord,
    /// 4: a word goes alone only if it does not lie in the newest record's content.
    LoneContent,
    /// 4: a word goes alone only if no record has an entry in a block that its transaction allocated.
    LoneAllocated,
    /// 4: a word goes alone only if no record has an entry in a block that its transaction frees.
    LoneFreed,
    /// 4: a frame of a log goes alone only if no record has an entry where it goes.
    LoneFrame,
    /// 5: a record's batch flushes the words of the one before that it does not change itself.
    FlushLate,
    /// 6: the newest record counts only if its content is there.
    Content,
    /// 6: the older record counts whatever became of its content.
    Witness,
    /// 6: recovery flushes the content that it went by.
    FlushContent,
    /// 6: recovery replays both records.
    ReplayAll,
    /// 6: recovery fences the slots before it replays what they say.
    SlotsFirst,
    /// 6: recovery flushes the links and words that it reads.
    FlushWalk,
    /// 6: recovery fences what it replayed before it retires.
    RetireReplayed,
    /// 6: every open uses up a number.
    BurnNumber,
    /// 12: words in blocks that the transaction frees are dropped.
    DropFreed,
    /// Logs: a frame's checksum is seeded with its position and number.
    FramePlace,
    /// Logs: from the cut on a frame counts only if it is of the present epoch.
    FrameEpoch,
    /// Logs: where other words change too, the frame's checksum is an entry of their record.
    FrameInRecord,
    /// Logs: a frame that a record publishes is content of it.
    FrameListed,
    /// Logs: a frame goes behind all that is durable, also where its transaction truncated that.
    FrameBehind,
    /// Logs: recovery flushes the frames that it accepts.
    FlushFrames,
    /// Logs: recovery destroys the checksum where the next frame goes.
    ForgetRejected,
    /// Logs: and where it goes if it does not fit there.
    ForgetSkipped,
}

/// What the explorer is told, and what it may ask for. Offsets are in bytes from the region's start.
pub(crate) trait Observe {
    /// Whether somebody watches: where changes come from is noted then, and recovery must announce what it reads.
    const OBSERVED: bool = false;

    /// Whether this rule of the commit protocol is to be broken, to see what happens without it.
    #[inline(always)]
    fn leaves_out(&self, _: Rule) -> bool {
        false
    }

    /// Recovery is about to read these bytes: what a power failure left there is decided now.
    #[inline(always)]
    fn announce(&self, _at: usize, _len: usize) {}

    /// Recovery is about to read these bytes, and believes them because of what leads to them: they must be
    /// durable already.
    #[inline(always)]
    fn announce_durable(&self, _at: usize, _len: usize) {}

    /// Recovery is about to read these ranges, and believes them, all or none, if `valid` says so of the words there.
    #[inline(always)]
    fn announce_checksummed(&self, _ranges: &[Range<usize>], _valid: Valid<'_>) {}

    /// These bytes are written through `&mut` from now on: a block is under construction.
    #[inline(always)]
    fn begin(&self, _: Range<usize>, _: Origin) {}

    /// A block that was under construction is given up.
    #[inline(always)]
    fn abandon(&self, _: Range<usize>) {}

    /// These bytes were written through `&mut`, and are not any more.
    #[inline(always)]
    fn written(&self, _: &[u8], _: Origin) {}

    /// The word or record that is stored next makes these bytes reachable, or the one that was just fenced has done so:
    /// they must be durable.
    #[inline(always)]
    fn publishes(&self, _at: usize, _len: usize, _: Origin) {}
}
