//! [`Engine`]: what a region keeps between transactions, and what happens when one commits or aborts.
//!
//! # Safety
//!
//! The walk of `free` reads objects as bytes while the region is borrowed exclusively and the transaction's
//! closure has returned: nothing writes to them.
#![allow(unsafe_code)]

use super::handles::Handles;
use super::journal::{AbortOnPanic, Journal};
use super::pending::Pending;
use super::ring::Staging;
use super::writeback::{Fences, Writeback};
use crate::error::{Error, Result};
use crate::flush::PAGE;
use crate::format::block::{self, Extent, HEADER, Header};
use crate::format::layout::{IN_USE, Layout};
use crate::format::object;
use crate::format::record::Change;
use crate::heap::{Footprint, Heap};
use crate::medium::{Map, Medium};
use crate::observe::{Origin, Rule};
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
    /// What is appended to logs.
    pub rings: Staging,
    /// Where its handles were made.
    pub(super) handles: Handles,
    /// Blocks that this transaction allocated.
    owned: Vec<Block>,
    /// Trees that it frees.
    freed: Vec<Freed>,
    /// Scratch: blocks that the commit gives back to the heap.
    doomed: Vec<Block>,
    /// Scratch: the words that the commit changes in this transaction's own blocks.
    own_changes: Vec<Change>,
    /// How many fences the transactions have made.
    pub fences: Fences,
    /// Why the region did not grow when this transaction found its heap low: it may take of the reserve then, and
    /// must give as much back.
    low: Option<Error>,
    poison: Option<String>,
}

/// A block of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Block {
    at: usize,
    size: usize,
    align: usize,
}

#[derive(Clone, Copy)]
struct Freed {
    at: usize,
    info: &'static TypeInfo,
}

/// Whether one of these blocks, which are sorted, holds the word at `at`.
#[inline]
fn holds(blocks: &[Block], at: usize) -> bool {
    let after = blocks.partition_point(|block| block.at <= at);
    after > 0 && at < blocks[after - 1].at + blocks[after - 1].size
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
            rings: Staging::default(),
            handles: Handles::default(),
            owned: Vec::new(),
            freed: Vec::new(),
            doomed: Vec::new(),
            own_changes: Vec::new(),
            fences: Fences::FIRST,
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

    pub(crate) fn owned_is_empty(&self) -> bool {
        self.owned.is_empty()
    }

    pub(super) fn sort_owned(&mut self) {
        self.owned.sort_unstable();
    }

    /// Whether this transaction allocated the block there; they are sorted.
    pub(super) fn is_owned(&self, at: usize) -> bool {
        holds(&self.owned, at)
    }

    /// Whether the commit frees the block there.
    pub(super) fn is_doomed(&self, at: usize) -> bool {
        holds(&self.doomed, at)
    }

    pub(crate) fn own(&mut self, at: usize, size: usize, align: usize) {
        self.owned.push(Block { at, size, align });
    }

    pub(crate) fn free(&mut self, at: usize, info: &'static TypeInfo) {
        self.freed.push(Freed { at, info });
    }

    /// The heap is low: the region grows, or the transaction must give back what it takes.
    #[cold]
    pub(super) fn refill<M: Medium>(&mut self, medium: &Writeback<'_, M>, size: usize) -> Result<()> {
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
    pub(crate) fn grow<M: Medium>(
        &mut self,
        medium: &Writeback<'_, M>,
        size: usize,
        align: usize,
    ) -> Result<()> {
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
            self.owned.is_empty() && self.freed.is_empty() && self.rings.is_empty() && !medium.is_unfenced();
        if words_only && self.journal.is_settled(medium) && self.pending.changes().len() <= 1 {
            return self.commit_lone(medium, origin);
        }
        self.commit_any(medium, origin)
    }

    #[inline]
    fn commit_lone<M: Medium>(&mut self, medium: &Writeback<'_, M>, origin: Origin) -> Result<()> {
        if let [change] = self.pending.changes()[..]
            && medium.map().load(change.at) != change.value
        {
            let from = self.pending.origin::<M>(change.at, origin);
            if let Err(error) = self.journal.commit_alone(medium, change, from, origin) {
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
        if !self.rings.is_empty() {
            self.move_tails(medium);
        }
        for block in &self.doomed {
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
        if !self.rings.is_empty() {
            self.prepare_frames(medium);
        }
        self.settle_changes(medium);
        let words = self.pending.changes().len();
        let (mut frames, mut alone) = (0, false);
        if !self.rings.is_empty() {
            (frames, alone) = self.count_frames(words);
            self.pending.changes_mut().reserve(frames);
        }
        self.journal.check_room(words + frames)?;

        // Words in this transaction's own blocks: nothing reaches them yet.
        for change in &self.own_changes {
            let from = self.pending.origin::<M>(change.at, origin);
            medium.store(change.at, change.value, from);
            medium.flush_word(change.at, from);
        }
        if !self.rings.is_empty() {
            if alone {
                self.journal.before_lone_frame(medium, origin);
            }
            self.write_frames(medium, alone);
            // What the record publishes, in the order of their offsets.
            self.pending.changes_mut().sort_unstable_by_key(|change| change.at);
            if alone {
                return self.commit_frame(medium, origin);
            }
        }
        if self.pending.changes().is_empty() {
            return Ok(());
        }
        if medium.is_unfenced() && !medium.leaves_out(Rule::CoveringFence) {
            // The covering fence: whatever the types were told, nothing is published before it (docs/design.md, 7.10).
            if let Err(error) = medium.fence(origin) {
                self.poison(&error);
                return Err(error);
            }
        }
        if M::OBSERVED {
            self.announce_published(medium, origin);
        }
        match self.journal.commit(medium, &mut self.pending, origin) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.outcome_unknown(error)),
        }
    }

    /// A transaction that took of the heap's reserve gives as much back.
    #[cold]
    fn check_reserve(&mut self) -> Result<()> {
        fn footprints(blocks: &[Block]) -> impl Iterator<Item = Footprint> + Clone {
            blocks.iter().filter_map(|block| Footprint::of(block.at, block.size, block.align))
        }
        match self.heap.is_paid_for(footprints(&self.owned), footprints(&self.doomed)) {
            true => Ok(()),
            false => self.low.take().map_or(Ok(()), Err),
        }
    }

    /// For the explorer: what the words to be committed make reachable.
    fn announce_published<M: Medium>(&self, medium: &Writeback<'_, M>, origin: Origin) {
        // Not by `is_doomed`, which asks for what lies in a block: nothing lies in an empty slice.
        let is_doomed =
            |block: &&Block| self.doomed.binary_search_by_key(&block.at, |doomed| doomed.at).is_ok();
        for block in self.owned.iter().filter(|block| !is_doomed(block)) {
            medium.publishes(block.at - HEADER, HEADER + block.size, origin);
        }
        self.announce_frames(medium);
    }

    /// The one fence of a commit that appends to a log and does nothing else.
    fn commit_frame<M: Medium>(&mut self, medium: &Writeback<'_, M>, origin: Origin) -> Result<()> {
        medium.fence(origin).map_err(|error| self.outcome_unknown(error))
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
        self.doomed.sort_unstable();
    }

    /// Leaves in `pending` the published words that change, in the order of their offsets. Words in this
    /// transaction's own blocks go to `own_changes`; words in freed blocks are dropped, and words that keep
    /// their value.
    fn settle_changes<M: Medium>(&mut self, medium: &Writeback<'_, M>) {
        let map = medium.map();
        self.pending.sort();
        let changes = self.pending.changes_mut();
        if !self.doomed.is_empty() && !medium.leaves_out(Rule::DropFreed) {
            changes.retain(|change| !holds(&self.doomed, change.at));
        }
        self.own_changes.clear();
        if !self.owned.is_empty() {
            self.owned.sort_unstable();
            self.own_changes.extend(changes.extract_if(.., |change| holds(&self.owned, change.at)));
            self.own_changes.retain(|change| map.load(change.at) != change.value);
        }
        let changed = |unsettled: &mut &[Change], change: &Change| {
            while let [first, rest @ ..] = *unsettled
                && first.at <= change.at
            {
                *unsettled = rest;
                if first.at == change.at {
                    return first.value != change.value;
                }
            }
            map.load(change.at) != change.value
        };
        let mut unsettled = self.journal.unsettled(medium);
        // Mostly all of them change; to move none is faster.
        if !changes.iter().all(|change| changed(&mut unsettled, change)) {
            unsettled = self.journal.unsettled(medium);
            changes.retain(|change| changed(&mut unsettled, change));
        }
    }

    /// Forgets the transaction and gives its blocks back.
    pub(crate) fn abort<M: Medium>(&mut self, medium: &Writeback<'_, M>) {
        self.fences = medium.fences();
        for block in self.owned.drain(..) {
            medium.abandon(Extent::of(block.at, block.size));
            self.heap.free(block.at, block.size, block.align);
        }
        self.clear();
    }

    #[inline]
    fn clear(&mut self) {
        self.pending.clear();
        self.rings.clear();
        self.owned.clear();
        self.freed.clear();
        self.doomed.clear();
        self.low = None;
        if cfg!(debug_assertions) {
            self.handles.clear();
        }
    }

    /// Retires the journal and marks the region as closed, durably.
    pub(crate) fn close<M: Medium>(&mut self, medium: &M, origin: Origin) -> Result<()> {
        self.check_poison()?;
        self.journal.hand_over(medium, self.fences, origin);
        let medium = &Writeback::new(medium, self.fences);
        let result = (|| {
            self.journal.close(medium, origin)?;
            medium.store(IN_USE, 0, origin);
            medium.flush_word(IN_USE, origin);
            medium.fence(origin)
        })();
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
