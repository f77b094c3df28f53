//! The redo journal: how several published words change together.
//!
//! In persistent memory there are two record slots `{number, count, checksum, entries}` and one word `RET`:
//! a record is valid if its number is above `RET`, its count in range and its checksum right. Record `N + 1`
//! goes to the slot that does not hold `N`; its fence is the commit point, and its words are applied and
//! flushed after that without one. `N` is *settled* once a fence of the same thread has followed; only then
//! may it be retired, and the retirement shares the flush batch of a later commit. The nine rules are
//! docs/design.md, 7.1 to 7.9; the numbers below refer to them.

use super::abort::AbortOnPanic;
use super::pending::Sorted;
use super::writeback::{Fences, Writeback};
use crate::error::{Error, Result};
use crate::flush::LINE;
use crate::format::layout::{Layout, RECORD_HEADER};
use crate::format::record::{Change, LAST_NUMBER, checksum};
use crate::medium::MediumImpl;
use crate::observe::{Origin, Rule};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use zerocopy::IntoBytes;

/// A thread, told from every other of the process, also from one that has ended.
///
/// Not `std::thread::current`, which counts a reference: on x86 a locked instruction waits for every flush
/// before it (Intel SDM vol. 2A, CLWB), and so would cost a second fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ThreadNumber(u64);

impl ThreadNumber {
    #[inline]
    fn current() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        thread_local! {
            static NUMBER: Cell<u64> = const { Cell::new(0) };
        }
        let mut number = NUMBER.get();
        if number == 0 {
            number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
            NUMBER.set(number);
        }
        ThreadNumber(number)
    }
}

/// The journal's volatile side.
#[derive(Debug)]
pub(crate) struct Journal {
    layout: Layout,
    /// Number of the last record.
    number: u64,
    /// The slot that holds it.
    slot: usize,
    /// How many records are not retired: none, the last one, or the last two.
    unretired: u64,
    /// The words that the last record applied, in the order of their offsets.
    applied: Vec<Change>,
    /// When they were flushed.
    applied_at: Fences,
    /// When `RET` was flushed last.
    retired_at: Fences,
    /// The thread that flushed `applied` and `RET`.
    thread: ThreadNumber,
}

impl Journal {
    /// After an open that made `number` the last one, with nothing to retire: no fence of a transaction came before
    /// the first one of [`Writeback`]'s.
    pub(crate) fn new(layout: Layout, number: u64) -> Self {
        Journal {
            layout,
            number,
            slot: 0,
            unretired: 0,
            applied: Vec::new(),
            applied_at: Fences::NONE,
            retired_at: Fences::NONE,
            thread: ThreadNumber::current(),
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.layout.journal_words
    }

    /// Rule 7: what another thread flushed and did not fence is flushed again by this one. `now`: the fences so far.
    /// Before a transaction, of which these flushes are none: nothing that it publishes depends on them.
    #[inline]
    pub(crate) fn hand_over<M: MediumImpl>(&mut self, medium: &M, now: Fences, origin: Origin) {
        if self.applied_at.max(self.retired_at) >= now && self.thread != ThreadNumber::current() {
            self.flush_again(medium, now, origin);
        }
    }

    #[cold]
    fn flush_again<M: MediumImpl>(&mut self, medium: &M, now: Fences, origin: Origin) {
        self.thread = ThreadNumber::current();
        if self.applied_at >= now && !medium.leaves_out(Rule::HandOver) {
            medium.flush_words(self.applied.iter().map(|change| change.at), origin);
        }
        if self.retired_at >= now && !medium.leaves_out(Rule::HandOverRetired) {
            medium.flush_word(self.layout.retired(), origin);
        }
    }

    /// Rule 4: whether a word that is all that a transaction publishes may be stored without a record.
    #[inline]
    pub(crate) fn may_go_alone<M: MediumImpl>(&self, medium: &Writeback<'_, M>) -> bool {
        self.is_settled(medium) || medium.leaves_out(Rule::LoneUnsettled)
    }

    /// Rule 3: whether the words of the last record are durable, so that `unsettled` is empty.
    #[inline]
    pub(crate) fn is_settled<M: MediumImpl>(&self, medium: &Writeback<'_, M>) -> bool {
        medium.has_fenced_since(self.applied_at)
    }

    /// The words whose flushes may still be under way, with the values that they have. Ask here, not memory: a load
    /// from a line whose write-back is in flight takes as long as a fence.
    #[inline]
    pub(crate) fn unsettled<M: MediumImpl>(&self, medium: &Writeback<'_, M>) -> &[Change] {
        if self.is_settled(medium) { &[] } else { &self.applied }
    }

    /// Rule 5: before the first store into a block that a retired transaction may have freed, the older of
    /// two records is retired.
    pub(crate) fn before_first_allocation<M: MediumImpl>(
        &mut self,
        medium: &Writeback<'_, M>,
        origin: Origin,
    ) {
        if self.unretired == 2 && !medium.leaves_out(Rule::RetireBeforeAllocation) {
            self.unretired = 1;
            self.retire(medium, self.number - 1, origin);
        }
    }

    /// Before a frame of a log is stored that no record publishes: it may lie where the older of two records
    /// would store a word, because the younger truncated what was there. That one would be replayed over it
    /// (docs/design.md, 9.12).
    pub(crate) fn before_lone_frame<M: MediumImpl>(&mut self, medium: &Writeback<'_, M>, origin: Origin) {
        if self.unretired == 2 && !medium.leaves_out(Rule::FrameRetires) {
            self.unretired = 1;
            self.retire(medium, self.number - 1, origin);
        }
    }

    fn retire<M: MediumImpl>(&mut self, medium: &Writeback<'_, M>, number: u64, origin: Origin) {
        medium.store(self.layout.retired(), number, origin);
        medium.flush_word(self.layout.retired(), origin);
        self.retired_at = medium.fences();
        self.thread = ThreadNumber::current();
    }

    /// Whether so many words can be changed at once.
    #[inline]
    pub(crate) fn check_room(&self, words: usize) -> Result<()> {
        match words {
            0 | 1 => Ok(()),
            words if words > self.capacity() => Err(Error::JournalFull { words, capacity: self.capacity() }),
            _ if self.number >= LAST_NUMBER => Err(Error::UsedUp {
                numbers: "numbers of this region's journal records",
                last: LAST_NUMBER,
                instead: "one word can still be changed at a time; make a new region of this one with `Region::migrate`",
            }),
            _ => Ok(()),
        }
    }

    /// Changes all these words, in the order of their offsets, durably, or none of them. Everything that they
    /// make reachable is fenced already. An error is that of the commit's own fence: the outcome is unknown.
    ///
    /// The words are not needed after that.
    #[inline]
    pub(crate) fn commit<M: MediumImpl>(
        &mut self,
        medium: &Writeback<'_, M>,
        words: &mut Sorted<'_>,
        origin: Origin,
    ) -> Result<()> {
        match words.changes()[..] {
            [] => Ok(()),
            [change] if self.may_go_alone(medium) => {
                self.commit_alone(medium, change, words.origin::<M>(change.at, origin), origin)
            }
            // No number is left to make it a record; what the last one applied can be settled.
            [change] if self.number >= LAST_NUMBER => {
                medium.fence(origin)?;
                self.commit_alone(medium, change, words.origin::<M>(change.at, origin), origin)
            }
            _ => self.commit_record(medium, words, origin),
        }
    }

    /// Changes this word and nothing else, durably; `from` is where the change comes from. Rule 4: what the last
    /// record applied is settled.
    #[inline(always)]
    pub(crate) fn commit_alone<M: MediumImpl>(
        &mut self,
        medium: &Writeback<'_, M>,
        change: Change,
        from: Origin,
        origin: Origin,
    ) -> Result<()> {
        if self.unretired > 0 && self.is_settled(medium) && !medium.leaves_out(Rule::LoneRetires) {
            self.retire(medium, self.number, origin);
            self.unretired = 0;
        }
        medium.store(change.at, change.value, from);
        medium.persist_word(change.at, from, origin)
    }

    /// Rule 2.
    fn commit_record<M: MediumImpl>(
        &mut self,
        medium: &Writeback<'_, M>,
        words: &mut Sorted<'_>,
        origin: Origin,
    ) -> Result<()> {
        self.number += 1;
        if !medium.leaves_out(Rule::TwoSlots) {
            self.slot = 1 - self.slot;
        }
        let at = self.layout.slot(self.slot);
        let changes = words.changes();
        let entries = changes.as_bytes();
        let checksum = checksum(entries, self.number, self.layout.region_id);
        let header = [self.number, changes.len() as u64, checksum];
        let from = |at: usize| words.origin::<M>(at, origin);
        medium.store_run(at, header.as_bytes(), |_| origin);
        medium.store_run(at + RECORD_HEADER, entries, |word| from(changes[word / 2].at));
        medium.flush(at, RECORD_HEADER + entries.len(), origin);
        if !medium.leaves_out(Rule::CommitPoint) {
            medium.fence(origin)?;
        }

        // The commit point. What follows only makes visible what recovery would do as well.
        let abort = AbortOnPanic;
        self.unretired = 2.min(self.unretired + 1);
        let mut rest = changes;
        while let [change, behind @ ..] = rest {
            medium.store(change.at, change.value, from(change.at));
            // Each line once, after the last of its words.
            if behind.first().is_none_or(|next| next.at / LINE != change.at / LINE) {
                medium.flush_applied(change.at, origin);
            }
            rest = behind;
        }
        words.exchange(&mut self.applied);
        self.applied_at = if medium.leaves_out(Rule::Settled) { Fences::NONE } else { medium.fences() };
        self.thread = ThreadNumber::current();
        std::mem::forget(abort);
        if medium.leaves_out(Rule::RetireSettled) {
            self.retire(medium, self.number, origin);
        }
        Ok(())
    }

    /// Makes the applied words durable and retires every record. For a clean close, after a hand-over.
    pub(crate) fn close<M: MediumImpl>(&mut self, medium: &Writeback<'_, M>, origin: Origin) -> Result<()> {
        if self.unretired > 0 {
            if !self.is_settled(medium) {
                medium.fence(origin)?;
            }
            self.retire(medium, self.number, origin);
            self.unretired = 0;
        }
        Ok(())
    }
}
