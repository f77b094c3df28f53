//! [`Commit`]: the changes of one transaction on their way into persistent memory. It goes one of three ways: alone, in a
//! record that vouches for what the transaction publishes, or in a record behind a covering fence. The rules are
//! docs/design.md, 7; the numbers below refer to them.

use super::blocks::Blocks;
use super::collected::Collected;
use super::journal::Journal;
use super::pending::Sorted;
use super::staging::{PublishedBy, Staging};
use super::writeback::Writeback;
use crate::error::Error;
use crate::format::block::HEADER;
use crate::format::record::Change;
use crate::medium::Medium;
use crate::observe::{Origin, Rule};

/// What a transaction has collected, for its commit.
pub(super) struct Commit<'c, 't, M: Medium> {
    pub medium: &'c Writeback<'t, M>,
    pub journal: &'c mut Journal,
    pub words: Sorted<'c>,
    /// Blocks that it allocated, and those that it frees.
    pub owned: &'c Blocks,
    pub doomed: &'c Blocks,
    pub logs: &'c Staging,
    pub content: &'c mut Collected,
    pub origin: Origin,
}

/// Why a commit failed.
pub(super) enum Failure {
    /// Nothing was stored.
    Refused(Error),
    /// The fence before the commit failed: nothing was published.
    CoveringFence(Error),
    /// The commit's own fence failed: what is durable is unknown.
    CommitFence(Error),
}

impl<M: Medium> Commit<'_, '_, M> {
    /// Makes everything durable, in an order that keeps it whole. `own` is scratch.
    pub(super) fn make_durable(mut self, own: &mut Vec<Change>) -> Result<(), Failure> {
        self.keep_changed(own);
        let words = self.words.changes().len();
        let mut frames = 0;
        if !self.logs.is_empty() {
            frames = self.logs.count_frames(self.words.changes(), self.owned);
            self.words.changes_mut().reserve(frames);
        }
        self.journal.check_room(words + frames).map_err(Failure::Refused)?;

        // Words in this transaction's own blocks: nothing reaches them yet. A record that vouched for them would have to
        // load lines that are being written back.
        for change in &*own {
            let from = self.words.origin::<M>(change.at, self.origin);
            self.medium.store(change.at, change.value, from);
            self.medium.flush_word(change.at, from);
        }
        if words == 0 && frames == 1 && self.frame_may_go_alone() {
            self.logs.write_frames(self.medium, self.owned, &mut self.words, PublishedBy::Alone, None);
            return self.medium.fence(self.origin).map_err(Failure::CommitFence);
        }
        let sealed = self.seal(words, frames);
        if self.words.changes().is_empty() {
            return Ok(());
        }
        if !sealed {
            self.cover()?;
        }
        self.publish(frames)
    }

    /// Leaves the published words that change. Words in this transaction's own blocks go to `own`; words in freed blocks
    /// are dropped, and words that keep their value.
    fn keep_changed(&mut self, own: &mut Vec<Change>) {
        let (map, owned, doomed) = (self.medium.map(), self.owned, self.doomed);
        let changes = self.words.changes_mut();
        if !doomed.is_empty() && !self.medium.leaves_out(Rule::DropFreed) {
            changes.retain(|change| !doomed.hold(change.at));
        }
        own.clear();
        if !owned.is_empty() {
            own.extend(changes.extract_if(.., |change| owned.hold(change.at)));
            own.retain(|change| map.load(change.at) != change.value);
        }
        // Mostly all of them change; to move none is faster.
        let changed = |change: &Change| map.load(change.at) != change.value;
        if !changes.iter().all(changed) {
            changes.retain(changed);
        }
    }

    /// Rule 3: writes the frames of logs, and decides whether a record of so many words, and of the frames, can vouch for
    /// everything that was flushed and not fenced.
    fn seal(&mut self, words: usize, frames: usize) -> bool {
        if !self.content.is_unfenced(self.medium.fences()) {
            self.content.clear();
        } else if !self.doomed.is_empty() && !self.medium.leaves_out(Rule::ListFreed) {
            self.content.leave_out(self.doomed);
        }
        let mut sealed = !self.medium.is_unfenced();
        if sealed && (frames > 0 || self.content.is_unfenced(self.medium.fences())) {
            let (extents, more) = self
                .logs
                .content(self.owned)
                .fold((0, 0), |(count, len), part| (count + 1, len + part.len()));
            sealed = self.content.can_be_sealed(more, self.medium.hash_at_most())
                && self.journal.has_room_for(words + frames, self.content.count() + extents)
                && self.journal.has_numbers();
        }
        if !self.logs.is_empty() {
            let content = sealed.then_some(&mut *self.content);
            self.logs.write_frames(self.medium, self.owned, &mut self.words, PublishedBy::InRecord, content);
            // What the record publishes, in the order of their offsets.
            self.words.changes_mut().sort_unstable_by_key(|change| change.at);
            // Frames in blocks of its own are not listed.
            sealed &= !self.medium.is_unfenced();
        }
        if self.content.count() > 1 {
            self.content.sort();
        }
        sealed
    }

    /// 10: the covering fence. Whatever the types were told, nothing is published before it.
    fn cover(&mut self) -> Result<(), Failure> {
        let unfenced = self.medium.is_unfenced() || self.content.is_unfenced(self.medium.fences());
        if unfenced && !self.medium.leaves_out(Rule::CoveringFence) {
            self.medium.fence(self.origin).map_err(Failure::CoveringFence)?;
        }
        self.content.clear();
        Ok(())
    }

    /// Changes the words, durably: the last thing that can fail.
    fn publish(mut self, frames: usize) -> Result<(), Failure> {
        if M::OBSERVED {
            self.announce();
        }
        if let [change] = self.words.changes()
            && self.content.count() == 0
        {
            // By its parts: see `Pending::set_scattered`.
            let (at, value) = (change.at, change.value);
            // A frame was asked before it was written.
            let mut alone = frames == 0
                && self.journal.word_may_go_alone(self.medium, at)
                && self.blocks_are_in_no_record();
            if !alone && self.journal.is_in_the_way() {
                self.journal.retire_all(self.medium, at, self.origin).map_err(Failure::CommitFence)?;
                alone = true;
            }
            if alone {
                let from = self.words.origin::<M>(at, self.origin);
                let committed = self.journal.commit_alone(self.medium, at, value, from, self.origin);
                return committed.map_err(Failure::CommitFence);
            }
        }
        let committed = self.journal.commit_record(self.medium, &mut self.words, self.content, self.origin);
        committed.map_err(Failure::CommitFence)
    }

    /// Rule 4: whether the one frame that the transaction appends needs no record, as it changes nothing else.
    fn frame_may_go_alone(&self) -> bool {
        !self.journal.has_records()
            || self.blocks_are_in_no_record()
                && (self.medium.leaves_out(Rule::LoneFrame)
                    || !self.logs.frames(self.owned).flatten().any(|range| self.journal.has_entry_in(range)))
    }

    /// Rule 4: whether no record that recovery may replay has an entry in a block that the transaction allocated or frees:
    /// what is replayed must not be the next owner's.
    fn blocks_are_in_no_record(&self) -> bool {
        let in_none = |blocks: &Blocks| {
            !blocks.iter().any(|block| self.journal.has_entry_in(block.at..block.at + block.size))
        };
        !self.journal.has_records()
            || (in_none(self.owned) || self.medium.leaves_out(Rule::LoneAllocated))
                && (in_none(self.doomed) || self.medium.leaves_out(Rule::LoneFreed))
    }

    /// For the explorer: what the words to be committed make reachable, but for what the record vouches for.
    fn announce(&self) {
        for block in self.owned.iter().filter(|block| !self.doomed.contain(block.at)) {
            if !self.content.has(block.at - HEADER) {
                self.medium.publishes(block.at - HEADER, HEADER + block.size, self.origin);
            }
        }
        for part in self.logs.content(self.owned).filter(|part| !self.content.has(part.start)) {
            self.medium.publishes(part.start, part.len(), self.origin);
        }
    }
}
