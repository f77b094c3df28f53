//! [`Writeback`]: the one way from a transaction to its medium, which counts what was flushed and not fenced.
//!
//! A commit publishes nothing before everything that it makes reachable is durable, or is listed as content of its
//! record, and only this file knows whether it is: nothing else in `tx` has the medium itself, so that nothing can be flushed unseen. Fences are counted, and
//! what was flushed is known by the number of fences at that time: it is durable when there is one more
//! (docs/design.md, 7.14).

use super::collected::{Collected, Listed};
use super::fences::Fences;
use crate::error::Result;
use crate::format::block::{Extent, HEADER};
use crate::medium::{Map, Medium, MediumImpl};
use crate::observe::Origin;
use crate::observe::Rule;
use std::cell::Cell;
use std::path::Path;

/// A transaction's medium, and what of its flushes is durable.
#[derive(Debug)]
pub(crate) struct Writeback<'t, M> {
    medium: &'t M,
    /// Fences so far.
    fences: Cell<Fences>,
    /// When this transaction flushed something last that is not listed as content.
    flushed_at: Cell<Fences>,
}

impl<'t, M: MediumImpl> Writeback<'t, M> {
    #[inline(always)]
    pub(crate) fn new(medium: &'t M) -> Self {
        Writeback { medium, fences: Cell::new(Fences::FIRST), flushed_at: Cell::new(Fences::NONE) }
    }

    #[inline(always)]
    pub(crate) fn fences(&self) -> Fences {
        self.fences.get()
    }

    /// Whether a flush of this transaction has no fence behind it, of what no record vouches for.
    #[inline(always)]
    pub(crate) fn is_unfenced(&self) -> bool {
        !self.has_fenced_since(self.flushed_at.get())
    }

    /// Whether what this thread flushed at that time is durable.
    #[inline(always)]
    pub(crate) fn has_fenced_since(&self, then: Fences) -> bool {
        then < self.fences.get()
    }

    #[inline(always)]
    #[track_caller]
    pub(crate) fn flush(&self, at: usize, len: usize, origin: Origin) {
        self.flushed_at.set(self.fences.get());
        self.medium.flush_range(at, len, origin);
    }

    /// Flushes the line of the word at `at`.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn flush_word(&self, at: usize, origin: Origin) {
        self.flushed_at.set(self.fences.get());
        self.medium.flush_word(at, origin);
    }

    /// Flushes the lines of words at these offsets, which rise, that a record has stored: nothing that is published now
    /// depends on them.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn flush_words(&self, words: impl Iterator<Item = usize>, origin: Origin) {
        self.medium.flush_words(words, origin);
    }

    /// Flushes a commit's record, before its commit point.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn flush_record(&self, at: usize, len: usize, origin: Origin) {
        self.medium.flush_range(at, len, origin);
    }

    /// Flushes the line of a word and fences, for a word that is published alone; `from` is where it comes from.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn persist_word(&self, at: usize, from: Origin, origin: Origin) -> Result<()> {
        self.medium.flush_word(at, from);
        self.fence(origin)
    }

    /// Flushes the block whose header is there, with an object of `len` bytes; `in_one_line` if it is known to be.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn flush_block(&self, header: *const u8, len: usize, in_one_line: bool, origin: Origin) {
        self.flushed_at.set(self.fences.get());
        self.write_back(header, len, in_one_line, origin);
    }

    /// The same of a block that the commit's record can vouch for, with this hash.
    #[inline(always)]
    #[track_caller]
    pub(super) fn flush_content(
        &self,
        content: &mut Collected,
        header: *const u8,
        len: usize,
        in_one_line: bool,
        hash: impl FnOnce() -> u64,
        origin: Origin,
    ) {
        let start = header.addr() - self.map().address();
        let _: Listed = self.list(content, Extent { start, len: HEADER + len }, hash);
        self.write_back(header, len, in_one_line, origin);
    }

    /// Lists what is flushed right after this as content.
    #[inline(always)]
    pub(super) fn list(&self, content: &mut Collected, extent: Extent, hash: impl FnOnce() -> u64) -> Listed {
        content.add(self.fences.get(), self.hash_at_most(), extent, hash)
    }

    /// Flushes bytes that were listed as content, or else makes the commit fence them.
    #[inline(always)]
    #[track_caller]
    pub(super) fn flush_listed(&self, listed: Option<Listed>, at: usize, len: usize, origin: Origin) {
        match listed {
            Some(_) => self.medium.flush_range(at, len, origin),
            None => self.flush(at, len, origin),
        }
    }

    #[inline(always)]
    pub(crate) fn hash_at_most(&self) -> usize {
        self.medium.hash_at_most()
    }

    #[inline(always)]
    #[track_caller]
    fn write_back(&self, header: *const u8, len: usize, in_one_line: bool, origin: Origin) {
        match in_one_line {
            true => self.medium.flush_object_line(header, HEADER, len, origin),
            false => self.medium.flush_object(header, HEADER, len, origin),
        }
    }

    /// Copies bytes behind a block's header and makes the block durable: a fence for all that was flushed.
    #[track_caller]
    pub(crate) fn stream_block(&self, header: *mut u8, bytes: &[u8], origin: Origin) -> Result<()> {
        self.medium.stream_object(header, HEADER, bytes, origin)?;
        self.fenced();
        Ok(())
    }

    #[inline(always)]
    #[track_caller]
    pub(crate) fn fence(&self, origin: Origin) -> Result<()> {
        self.medium.fence(origin)?;
        self.fenced();
        Ok(())
    }

    #[inline(always)]
    fn fenced(&self) {
        self.fences.set(self.fences.get().next());
    }

    #[inline(always)]
    #[track_caller]
    pub(crate) fn store(&self, at: usize, value: u64, origin: Origin) {
        self.medium.store(at, value, origin);
    }

    #[inline(always)]
    #[track_caller]
    pub(crate) fn store_run(&self, at: usize, words: &[u8], origin: impl Fn(usize) -> Origin) {
        self.medium.store_run(at, words, origin);
    }

    #[inline(always)]
    #[track_caller]
    pub(crate) fn store_bytes(&self, at: usize, bytes: &[u8], origin: Origin) {
        self.medium.store_bytes(at, bytes, origin);
    }

    #[inline(always)]
    pub(crate) fn map(&self) -> &'t Map {
        self.medium.map()
    }

    #[inline(always)]
    pub(crate) fn leaves_out(&self, rule: Rule) -> bool {
        self.medium.leaves_out(rule)
    }

    pub(crate) fn path(&self) -> &'t Path {
        self.medium.path()
    }

    pub(crate) fn begin(&self, block: Extent, origin: Origin) {
        self.medium.begin(block.range(), origin);
    }

    pub(crate) fn abandon(&self, block: Extent) {
        self.medium.abandon(block.range());
    }

    /// What is stored next makes these bytes reachable.
    #[inline(always)]
    pub(crate) fn publishes(&self, at: usize, len: usize, origin: Origin) {
        self.medium.publishes(at, len, origin);
    }
}

impl<M: Medium> Writeback<'_, M> {
    pub(crate) fn max_len(&self) -> usize {
        self.medium.max_len()
    }

    /// Makes the region longer, durably.
    pub(crate) fn grow(&self, len: usize) -> Result<()> {
        self.medium.grow(len)
    }
}
