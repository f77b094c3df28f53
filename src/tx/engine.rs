//! [`Engine`]: what a region keeps between transactions, and what happens when one commits or aborts.
//!
//! # Safety
//!
//! The walk of `free` reads objects as bytes while the region is borrowed exclusively and the transaction's
//! closure has returned: nothing writes to them.
#![allow(unsafe_code)]

use super::abort_on_panic::AbortOnPanic;
use super::blocks::{Block, Blocks};
use super::collected::Collected;
use super::commit::{Commit, Failure};
use super::handle_places::HandlePlaces;
use super::journal::Journal;
use super::pending::Pending;
use super::staging::Staging;
use super::writeback::Writeback;
use crate::error::{Error, Result};
use crate::flush::PAGE;
use crate::format::block::{self, Extent, Header};
use crate::format::layout::{IN_USE, Layout};
use crate::format::object;
use crate::format::record::Change;
use crate::heap::{Footprint, Heap};
use crate::medium::{Map, Medium};
use crate::observe::Origin;
use crate::persistent::{Cells, TypeInfo, Visitor};

/// The least step in which a region grows, in bytes.
const GROWTH: usize = 1 << 20;

/// A region's state in DRAM. Its buffers are kept, so that a transaction allocates nothing in the steady
/// state.
pub(crate) struct Engine {
    pub layout: Layout,
    /// Offset of the root.
    pub root: usize,
    pub heap: Heap,
    pub journal: Journal,
    pub pending: Pending,
    /// What it flushed, for its record to vouch for.
    pub(super) content: Collected,
    /// What is appended to logs.
    pub logs: Staging,
    /// Where its handles were made.
    pub(super) handles: HandlePlaces,
    /// Blocks that this transaction allocated.
    owned: Blocks,
    /// Trees that it frees.
    freed: Vec<Freed>,
    /// Scratch: blocks that the commit gives back to the heap.
    doomed: Blocks,
    /// Scratch: the words that the commit changes in this transaction's own blocks.
    own_changes: Vec<Change>,
    /// Why the region did not grow when this transaction found its heap low: it may take of the reserve then, and
    /// must give as much back.
    low: Option<Error>,
    poison: Option<String>,
}

#[derive(Clone, Copy)]
struct Freed {
    at: usize,
    info: &'static TypeInfo,
}

#[cold]
fn poisoned(reason: &str) -> Error {
    Error::Poisoned { reason: reason.to_owned() }
}

impl Engine {
    pub(crate) fn new(layout: Layout, heap: Heap, journal: Journal) -> Self {
        Engine {
            root: layout.root(),
            layout,
            heap,
            journal,
            pending: Pending::default(),
            content: Collected::new(),
            logs: Staging::new(layout.region_id),
            handles: HandlePlaces::default(),
            owned: Blocks::default(),
            freed: Vec::new(),
            doomed: Blocks::default(),
            own_changes: Vec::new(),
            low: None,
            poison: None,
        }
    }

    #[inline]
    pub(crate) fn check_poison(&self) -> Result<()> {
        match &self.poison {
            None => Ok(()),
            Some(reason) => Err(poisoned(reason)),
        }
    }

    /// Nothing more can be promised for what is in memory.
    pub(crate) fn poison(&mut self, error: &Error) {
        let reason = match error {
            Error::Poisoned { reason } => reason.clone(),
            other => other.to_string(),
        };
        self.poison.get_or_insert(reason);
    }

    pub(crate) fn own(&mut self, at: usize, size: usize, align: usize) {
        self.owned.push(Block { at, size, align });
    }

    pub(crate) fn free(&mut self, at: usize, info: &'static TypeInfo) {
        self.freed.push(Freed { at, info });
    }

    /// A block, which is this transaction's own from now on. The region grows if it must.
    pub(super) fn allocate<M: Medium>(
        &mut self,
        medium: &Writeback<'_, M>,
        size: usize,
        align: usize,
    ) -> Result<usize> {
        loop {
            if let Some(at) = self.heap.allocate(size, align) {
                if self.heap.is_low()
                    && let Err(error) = self.refill(medium, size)
                {
                    self.heap.free(at, size, align);
                    return Err(error);
                }
                self.own(at, size, align);
                return Ok(at);
            }
            self.grow(medium, size, align)?;
        }
    }

    /// The heap is low: the region grows, or the transaction must give back what it takes.
    #[cold]
    fn refill<M: Medium>(&mut self, medium: &Writeback<'_, M>, size: usize) -> Result<()> {
        while self.low.is_none() && self.heap.is_low() {
            // By what is missing; the object has its place.
            match self.grow(medium, self.heap.missing(), 1) {
                Ok(()) => {}
                Err(Error::HeapFull { len, max_len, .. }) => {
                    let requested = block::extent_len(size) as u64;
                    self.low = Some(Error::HeapFull { requested, len, max_len });
                }
                Err(poisoned @ Error::Poisoned { .. }) => return Err(poisoned),
                // The object has its place: whatever keeps the region from growing does not keep it from being emptied.
                Err(other) => self.low = Some(other),
            }
        }
        Ok(())
    }

    /// Makes room for at least one more object of this size.
    fn grow<M: Medium>(&mut self, medium: &Writeback<'_, M>, size: usize, align: usize) -> Result<()> {
        let (len, max_len) = (medium.map().len(), medium.max_len());
        // An object with its header and alignment, and a page of slots for a small one.
        let needed = size.saturating_add(2 * align.max(PAGE)).next_multiple_of(PAGE);
        let full = Error::HeapFull {
            requested: block::extent_len(size) as u64,
            len: len as u64,
            max_len: max_len as u64,
        };
        let Some(least) = len.checked_add(needed).filter(|&least| least <= max_len) else {
            return Err(full);
        };
        // Half as much again, so that the number of steps stays small; less where that is too much.
        let step = (len / 2).clamp(GROWTH, 1 << 30).next_multiple_of(PAGE);
        let wanted = least.max(len.saturating_add(step).min(max_len)) & !(PAGE - 1);
        let grown = match medium.grow(wanted) {
            Err(Error::DiskFull { .. }) if wanted > least => medium.grow(least).map(|()| least),
            other => other.map(|()| wanted),
        };
        match grown {
            Ok(len) => {
                self.heap.extend(len);
                Ok(())
            }
            Err(error) => {
                if matches!(error, Error::Poisoned { .. }) {
                    self.poison(&error);
                }
                Err(error)
            }
        }
    }

    /// Commits what is pending.
    #[inline]
    pub(crate) fn commit<M: Medium>(&mut self, medium: &Writeback<'_, M>, origin: Origin) -> Result<()> {
        // Fast path: at most one word, and nothing allocated, freed, appended or unfenced.
        let words_only =
            self.owned.is_empty() && self.freed.is_empty() && self.logs.is_empty() && !medium.is_unfenced();
        if words_only {
            let alone = match *self.pending.changes() {
                [] => true,
                [change] => self.journal.word_may_go_alone(medium, change.at),
                _ => false,
            };
            if alone {
                return self.commit_lone(medium, origin);
            }
        }
        self.commit_any(medium, origin)
    }

    #[inline]
    fn commit_lone<M: Medium>(&mut self, medium: &Writeback<'_, M>, origin: Origin) -> Result<()> {
        if let &[Change { at, value }] = self.pending.changes()
            && medium.map().load(at) != value
        {
            let from = self.pending.origin::<M>(at, origin);
            if let Err(error) = self.journal.commit_alone(medium, at, value, from, origin) {
                return Err(self.outcome_unknown(error));
            }
        }
        self.pending.clear();
        Ok(())
    }

    #[inline(never)]
    fn commit_any<M: Medium>(&mut self, medium: &Writeback<'_, M>, origin: Origin) -> Result<()> {
        self.try_commit(medium, origin)?;
        let abort = AbortOnPanic;
        if !self.logs.is_empty() {
            self.logs.move_tails(medium);
        }
        for block in self.doomed.iter() {
            // One that this transaction made may never have been flushed (docs/design.md, 4.11).
            medium.abandon(Extent::of(block.at, block.size));
            self.heap.free(block.at, block.size, block.align);
        }
        self.clear();
        std::mem::forget(abort);
        Ok(())
    }

    fn try_commit<M: Medium>(&mut self, medium: &Writeback<'_, M>, origin: Origin) -> Result<()> {
        if !self.freed.is_empty() {
            self.collect_doomed(medium.map());
        }
        if self.low.is_some() {
            self.check_reserve()?;
        }
        self.make_durable(medium, origin).map_err(|failure| match failure {
            Failure::Refused(error) => error,
            Failure::CoveringFence(error) => {
                self.poison(&error);
                error
            }
            Failure::CommitFence(error) => self.outcome_unknown(error),
        })
    }

    fn make_durable<M: Medium>(&mut self, medium: &Writeback<'_, M>, origin: Origin) -> Result<(), Failure> {
        if !self.owned.is_empty() {
            self.owned.sort();
        }
        if !self.logs.is_empty() {
            self.logs.prepare(medium, &self.doomed, &mut self.pending);
        }
        let commit = Commit {
            medium,
            journal: &mut self.journal,
            words: self.pending.sorted(),
            owned: &self.owned,
            doomed: &self.doomed,
            logs: &self.logs,
            content: &mut self.content,
            origin,
        };
        commit.make_durable(&mut self.own_changes)
    }

    /// A transaction that took of the heap's reserve gives as much back.
    #[cold]
    fn check_reserve(&mut self) -> Result<()> {
        fn footprints(blocks: &Blocks) -> impl Iterator<Item = Footprint> + Clone {
            blocks.iter().filter_map(|block| Footprint::of(block.at, block.size, block.align))
        }
        match self.heap.is_paid_for(footprints(&self.owned), footprints(&self.doomed)) {
            true => Ok(()),
            false => self.low.take().map_or(Ok(()), Err),
        }
    }

    /// The commit's own fence failed.
    #[cold]
    fn outcome_unknown(&mut self, error: Error) -> Error {
        self.poison(&error);
        match self.poison.clone() {
            Some(reason) => Error::OutcomeUnknown { reason },
            None => error,
        }
    }

    /// Walks the trees that are freed, as the transaction sees them.
    fn collect_doomed(&mut self, map: &Map) {
        let mut next = 0;
        while next < self.freed.len() {
            let Freed { at, info } = self.freed[next];
            next += 1;
            let header = Header::decode(object::read_header(map, at), at).expect("a block keeps its header");
            let size = info.byte_len(header.count).expect("a block keeps its count");
            self.doomed.push(Block { at, size, align: info.align });
            if info.cells {
                // SAFETY: nothing writes while the commit walks; see the module.
                let bytes = unsafe { map.bytes(at, size) };
                let mut owned = OwnedBy { map, pending: &self.pending, freed: &mut self.freed };
                let valid = (info.visit)(bytes, &mut Visitor::new(&mut owned));
                assert!(valid, "a published object is valid");
            }
        }
        self.doomed.sort();
    }

    /// Forgets the transaction and gives its blocks back.
    pub(crate) fn abort<M: Medium>(&mut self, medium: &Writeback<'_, M>) {
        for block in self.owned.drain() {
            medium.abandon(Extent::of(block.at, block.size));
            self.heap.free(block.at, block.size, block.align);
        }
        self.clear();
    }

    #[inline]
    fn clear(&mut self) {
        self.pending.clear();
        self.content.clear();
        self.logs.clear();
        self.owned.clear();
        self.freed.clear();
        self.doomed.clear();
        self.low = None;
        if cfg!(debug_assertions) {
            self.handles.clear();
        }
    }

    /// Marks the region as closed, durably. Its records stay: to replay them changes nothing.
    pub(crate) fn close<M: Medium>(&mut self, medium: &M, origin: Origin) -> Result<()> {
        self.check_poison()?;
        medium.store(IN_USE, 0, origin);
        medium.flush_word(IN_USE, origin);
        let result = medium.fence(origin);
        if let Err(error) = &result {
            self.poison(error);
        }
        result
    }
}

/// The links of a freed object, followed as the transaction sees them.
struct OwnedBy<'a> {
    map: &'a Map,
    pending: &'a Pending,
    freed: &'a mut Vec<Freed>,
}

impl Cells for OwnedBy<'_> {
    fn link(&mut self, address: usize, info: &'static TypeInfo) {
        let slot = address - self.map.address();
        match self.pending.get(slot).unwrap_or_else(|| self.map.load(slot)) {
            0 => {}
            offset => self.freed.push(Freed { at: slot.wrapping_add(offset as usize), info }),
        }
    }

    fn word(&mut self, _: usize, _: fn(u64) -> bool) {}
}
