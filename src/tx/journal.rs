//! The redo journal: how several published words change together, with the objects that they make reachable.
//!
//! In persistent memory there are two record slots `{number, counts, checksum, entries, content}` and one word `RET`. A
//! record is well-formed if its number is above `RET`, its counts in range and its checksum right. Record `N + 1` goes to
//! the slot that does not hold `N`; its fence is the commit point, also for the content that it vouches for. Its words
//! are stored then, and not flushed: the record says what they are until it is overwritten. Before that, `N + 2` flushes
//! those that it does not change itself. Records are retired when a region is opened: until then they may be replayed
//! at any time. The rules are docs/design.md, 7.1 to 7.8; the numbers below refer to them.

use super::abort_on_panic::AbortOnPanic;
use super::collected::Collected;
use super::pending::Sorted;
use super::writeback::Writeback;
use crate::error::{Error, Result};
use crate::format::block::Extent;
use crate::format::content::unpack;
use crate::format::layout::{Layout, RECORD_HEADER};
use crate::format::record::{Change, LAST_NUMBER, checksum, counts, record_len};
use crate::medium::MediumImpl;
use crate::observe::{Origin, Rule};
use std::ops::Range;
use zerocopy::IntoBytes;

/// A word that is changed again and again would be a record each time once it was in one, which takes longer to make
/// than a store. After so many in a row the records are retired, and it goes alone from then on.
const PATIENCE: u32 = 16;

/// The journal's volatile side.
#[derive(Debug)]
pub(crate) struct Journal {
    layout: Layout,
    /// Number of the last record.
    number: u64,
    /// The slot that holds it.
    slot: usize,
    /// The words of the record in each slot, in the order of their offsets; none if it is retired.
    words: [Vec<Change>; 2],
    /// What the last record vouches for, as it lies in the record: a hash, and the extents in the order of their places.
    /// Empty if there is nothing.
    content: Vec<u64>,
    /// How many lone words in a row were records, because a record had an entry for them.
    refused: u32,
}

impl Journal {
    /// The state after open: numbers go on behind `number`, every record is retired, everything is durable.
    pub(crate) fn new(layout: Layout, number: u64) -> Self {
        Journal { layout, number, slot: 0, words: [Vec::new(), Vec::new()], content: Vec::new(), refused: 0 }
    }

    /// The words that the last record applied.
    #[inline]
    fn applied(&self) -> &[Change] {
        &self.words[self.slot]
    }

    pub(crate) fn capacity(&self) -> usize {
        self.layout.journal_words
    }

    /// Whether recovery may replay a record.
    #[inline]
    pub(crate) fn has_records(&self) -> bool {
        !self.applied().is_empty()
    }

    /// Rule 4: whether a record that recovery may replay has an entry in this range.
    pub(crate) fn has_entry_in(&self, range: Range<usize>) -> bool {
        self.words.iter().any(|changes| match &changes[..] {
            [] => false,
            // Mostly it lies elsewhere.
            [first, ..] if first.at >= range.end => false,
            [.., last] if last.at < range.start => false,
            changes => {
                let first = changes.partition_point(|change| change.at < range.start);
                changes.get(first).is_some_and(|change| change.at < range.end)
            }
        })
    }

    /// What the last record vouches for.
    fn extents(&self) -> impl Iterator<Item = Extent> {
        self.content.iter().skip(1).map(|&word| unpack(word))
    }

    /// Rule 4: whether the word at `at` lies in that.
    fn vouches_for(&self, at: usize) -> bool {
        let extents = self.content.get(1..).unwrap_or_default();
        let after = extents.partition_point(|&word| unpack(word).start <= at);
        after > 0 && unpack(extents[after - 1]).range().contains(&at)
    }

    /// Rule 4: whether a word can be changed without a record, by a transaction that neither allocates nor frees.
    #[inline]
    pub(crate) fn word_may_go_alone<M: MediumImpl>(&self, medium: &Writeback<'_, M>, at: usize) -> bool {
        !self.has_records()
            || (!self.has_entry_in(at..at + 8) || medium.leaves_out(Rule::LoneWord))
                && (!self.vouches_for(at) || medium.leaves_out(Rule::LoneContent))
    }

    /// Whether a record can still have a number.
    #[inline]
    pub(crate) fn has_numbers(&self) -> bool {
        self.number < LAST_NUMBER
    }

    /// Whether a record with so many words can also vouch for so many extents.
    pub(crate) fn has_room_for(&self, words: usize, extents: usize) -> bool {
        record_len(words, extents) <= record_len(self.capacity(), 0)
    }

    /// Counts a lone word that must be a record; whether there were so many in a row that it is worth a fence to retire
    /// what is in their way, or no number is left for another record.
    #[inline]
    pub(crate) fn is_in_the_way(&mut self) -> bool {
        self.refused += 1;
        self.refused >= PATIENCE || !self.has_numbers()
    }

    /// Retires every record before the word at `at` is committed alone. Only when the words of the last one are durable,
    /// because recovery will not store them any more.
    ///
    /// `RET` and the word may share a fence if a record has an entry for the word: one that a power failure brings back
    /// takes the transaction back whole. Not if it is something else that is in the way, a block or the place of a frame;
    /// nor if the last record vouches for something, which the word may change.
    #[cold]
    pub(crate) fn retire_all<M: MediumImpl>(
        &mut self,
        medium: &Writeback<'_, M>,
        at: usize,
        origin: Origin,
    ) -> Result<()> {
        let takes_it_back = self.content.is_empty() && self.has_entry_in(at..at + 8);
        medium.flush_words(self.applied().iter().map(|change| change.at), origin);
        medium.fence(origin)?;
        medium.store(self.layout.retired(), self.number, origin);
        medium.flush_record(self.layout.retired(), 8, origin);
        if !takes_it_back {
            medium.fence(origin)?;
        }
        self.words.iter_mut().for_each(Vec::clear);
        self.content.clear();
        self.refused = 0;
        Ok(())
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

    /// Changes the word at `at` and nothing else, durably; `from` is where the change comes from. Rule 4 allows it.
    #[inline(always)]
    pub(crate) fn commit_alone<M: MediumImpl>(
        &self,
        medium: &Writeback<'_, M>,
        at: usize,
        value: u64,
        from: Origin,
        origin: Origin,
    ) -> Result<()> {
        medium.store(at, value, from);
        medium.persist_word(at, from, origin)
    }

    /// Rule 2: changes all these words, in the order of their offsets, durably, or none of them. Everything that they make
    /// reachable is fenced already, or is `content`, which is flushed and becomes durable with them. An error is that of
    /// the commit's own fence: the outcome is unknown.
    ///
    /// The words are not needed after that.
    pub(super) fn commit_record<M: MediumImpl>(
        &mut self,
        medium: &Writeback<'_, M>,
        words: &mut Sorted<'_>,
        content: &Collected,
        origin: Origin,
    ) -> Result<()> {
        self.note_content(content);
        if !medium.leaves_out(Rule::FlushLate) {
            let changes = words.changes();
            medium.flush_words(late(self.applied(), changes), origin);
        }
        self.number += 1;
        if !medium.leaves_out(Rule::TwoSlots) {
            self.slot = 1 - self.slot;
        }
        let at = self.layout.slot(self.slot);
        let changes = words.changes();
        let (entries, extents) = (changes.as_bytes(), self.content.as_bytes());
        let checksum = checksum(entries, extents, self.number, self.layout.region_id);
        let header = [self.number, counts(changes.len(), content.count()), checksum];
        let from = |at: usize| words.origin::<M>(at, origin);
        medium.store_run(at, header.as_bytes(), |_| origin);
        medium.store_run(at + RECORD_HEADER, entries, |word| from(changes[word / 2].at));
        if !extents.is_empty() {
            medium.store_run(at + RECORD_HEADER + entries.len(), extents, |_| origin);
        }
        medium.flush_record(at, RECORD_HEADER + entries.len() + extents.len(), origin);
        if !medium.leaves_out(Rule::CommitPoint) {
            medium.fence(origin)?;
        }

        // The commit point. What follows only makes visible what recovery would do as well.
        let abort = AbortOnPanic;
        if M::OBSERVED {
            self.extents().for_each(|extent| medium.publishes(extent.start, extent.len, origin));
        }
        changes.iter().for_each(|change| medium.store(change.at, change.value, from(change.at)));
        if changes.len() > 1 || !self.content.is_empty() {
            self.refused = 0;
        }
        words.exchange(&mut self.words[self.slot]);
        std::mem::forget(abort);
        Ok(())
    }

    /// What the next record vouches for. It is the newest from its first store on.
    #[inline]
    fn note_content(&mut self, content: &Collected) {
        self.content.clear();
        if content.count() > 0 {
            self.content.push(content.hash());
            self.content.extend(content.words());
        }
    }
}

/// The words of `before` that are not in `after`, both in the order of their offsets.
fn late<'a>(before: &'a [Change], after: &'a [Change]) -> impl Iterator<Item = usize> + 'a {
    let mut after = after;
    before.iter().map(|change| change.at).filter(move |&at| {
        while let [first, rest @ ..] = after
            && first.at < at
        {
            after = rest;
        }
        after.first().is_none_or(|first| first.at != at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_changed_again_are_not_late() {
        let changes = |offsets: &[usize]| -> Vec<Change> {
            offsets.iter().map(|&at| Change { at, value: 0 }).collect()
        };
        for (before, after, expected) in [
            (&[][..], &[8][..], &[][..]),
            (&[8, 16], &[], &[8, 16]),
            (&[8, 16, 24], &[16], &[8, 24]),
            (&[16, 32], &[8, 16, 24, 32, 40], &[]),
            (&[8, 40], &[16, 24], &[8, 40]),
        ] {
            assert_eq!(late(&changes(before), &changes(after)).collect::<Vec<_>>(), expected);
        }
    }
}
