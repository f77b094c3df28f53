//! [`Tx`]: one failure-atomic transaction.
//!
//! Published memory changes when a transaction commits, and only then: until that, `publish`, `take` and
//! `store` collect pending words. New objects are written straight into blocks that nothing reaches.
//!
//! # Safety
//!
//! `'t` is invariant and belongs to one call of `transact`: no handle, slot or reference of it comes from
//! elsewhere or outlives it, except slots that safe code can give any lifetime (statics, leaked boxes), and
//! those are refused by their address. A block is owned by one handle, `Taken` or link, as the transaction
//! sees it, and none is reused before the transaction has ended; so a `&'t T` stays valid whatever is taken,
//! rewritten or freed meanwhile.
#![allow(unsafe_code)]

mod abort_on_panic;
mod alloc;
mod blocks;
mod collected;
mod commit;
mod engine;
mod fences;
mod handle_places;
pub(crate) mod journal;
mod operands;
mod pending;
mod read;
mod ring;
mod staging;
pub(crate) mod writeback;

pub(crate) use engine::Engine;
pub use operands::{Attach, Fence, Flush, Owned, Publish, Stage};
pub use read::{Committed, Read};

use crate::error::{Error, Result};
use crate::format::{block, object};
use crate::link::{self, Link};
use crate::medium::Medium;
use crate::observe::Origin;
use crate::persistent::{Kind, No, Persistent, Target};
use crate::pm::{Pm, Taken};
use crate::state::{Dirty, OnItsThread};
use crate::word::Word;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::panic::Location;
use std::ptr::NonNull;
use writeback::Writeback;

/// A transaction, given to the closure of [`Region::transact`](crate::Region::transact).
///
/// It stays on its thread, because a fence waits for the flushes of its own thread only.
///
/// A function that is part of a transaction takes it, and the slots that it changes, with the same `'t`:
///
/// ```
/// use indelible::{Link, Persistent, Region, Result, Tx, medium::Medium};
///
/// #[derive(Persistent)]
/// #[repr(C)]
/// struct Node { key: u64, next: Link<Node> }
///
/// fn push<'t, M: Medium>(tx: &Tx<'t, M>, slot: &'t Link<Node>, key: u64) -> Result<()> {
///     let mut node = tx.alloc(Node { key, next: Link::null() })?;
///     tx.attach(&mut node, |node| &node.next, tx.take(slot));
///     tx.publish(slot, tx.persist(node)?);
///     Ok(())
/// }
///
/// let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
/// region.transact(|tx, root| {
///     push(tx, &root.next, 1)?;
///     push(tx, &root.next, 2) // both, or neither
/// })?;
/// assert_eq!(region.root().next.get().map(|node| node.key), Some(2));
/// # Ok::<(), indelible::Error>(())
/// ```
pub struct Tx<'t, M: Medium> {
    medium: Writeback<'t, M>,
    engine: RefCell<&'t mut Engine>,
    /// Offset of the root: where objects begin.
    root: usize,
    /// Objects that were allocated or taken, less those that found an owner.
    open: Cell<isize>,
    /// A word is pending.
    any_pending: Cell<bool>,
    /// A rule was broken.
    broken: Cell<bool>,
    _thread: OnItsThread,
    /// Makes it invariant in `'t`.
    brand: PhantomData<fn(&'t ()) -> &'t ()>,
}

static_assertions::assert_not_impl_any!(Tx<'static, crate::medium::Emulated>: Send, Sync);

impl<'t, M: Medium> Tx<'t, M> {
    pub(crate) fn begin(medium: &'t M, engine: &'t mut Engine) -> Self {
        Tx {
            medium: Writeback::new(medium),
            root: engine.root,
            engine: RefCell::new(engine),
            open: Cell::new(0),
            any_pending: Cell::new(false),
            broken: Cell::new(false),
            _thread: OnItsThread::MARKER,
            brand: PhantomData,
        }
    }

    /// The caller forgets the transaction if this succeeds: dropped, it aborts.
    ///
    /// By reference: passing `self` would copy it with wide loads that can't be forwarded from the narrow stores that
    /// just built it, and would stall behind pending flushes.
    #[inline(always)]
    pub(crate) fn commit(&mut self, origin: Origin) -> Result<()> {
        self.try_commit(origin)
    }

    #[inline]
    fn try_commit(&mut self, origin: Origin) -> Result<()> {
        if self.broken.get() {
            return Err(Error::Aborted);
        }
        let engine = self.engine.get_mut();
        engine.check_poison()?;
        match self.open.get() {
            0 => {}
            handles => {
                let (handles, place) = (handles.unsigned_abs(), engine.handles.first());
                return Err(Error::Orphaned { handles, place });
            }
        }
        engine.commit(&self.medium, origin)
    }

    /// Writes an object's lines back towards memory. Takes a handle, or a tuple (up to 8), array, `Vec` or
    /// `Option` of handles.
    ///
    /// Nothing is durable yet: [`Tx::fence`] waits for it.
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     let (a, b) = (tx.alloc(node(1))?, tx.alloc(node(2))?);
    ///     let (a, b) = tx.flush((a, b)); // Pm<Node, Flushed>, twice
    ///     let (a, b) = tx.fence((a, b))?; // one fence for both
    ///     tx.publish(&root.next, a);
    ///     tx.free(b);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn flush<X: Flush<'t>>(&self, objects: X) -> X::Flushed {
        objects.flush_in(self, true, Location::caller())
    }

    /// Waits until everything that was flushed in this transaction is durable, in one fence for all.
    ///
    /// # Errors
    ///
    /// [`Error::Poisoned`] if a write-back failed (`PageCache` only: a CPU's fence can't fail).
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     let new = tx.flush(tx.alloc(node(1))?);
    ///     let new = tx.fence(new)?; // Pm<Node, Persisted>: durable from here on
    ///     tx.publish(&root.next, new);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn fence<X: Fence<'t>>(&self, objects: X) -> Result<X::Persisted> {
        match self.medium.fence(Location::caller()) {
            Ok(()) => Ok(objects.fenced_in()),
            Err(error) => Err(self.poison(error)),
        }
    }

    /// [`Tx::flush`], then [`Tx::fence`]: on return the objects are durable.
    ///
    /// # Errors
    ///
    /// As for [`Tx::fence`].
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     let new = tx.persist(tx.alloc(node(1))?)?; // Pm<Node, Persisted>
    ///     tx.publish(&root.next, new);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn persist<X>(&self, objects: X) -> Result<<X::Flushed as Fence<'t>>::Persisted>
    where
        X: Flush<'t>,
        X::Flushed: Fence<'t>,
    {
        let flushed = objects.flush_in(self, false, Location::caller());
        self.fence(flushed)
    }

    /// Makes `child` the target of a link of `parent`, which is still `Dirty`. The link must be null.
    ///
    /// `child` is flushed, persisted or taken, or an `Option` or [`Child`](crate::Child) of these. It need not
    /// be fenced: the fence that the parent must pass before it can be published covers the child too, so a
    /// tree costs one fence.
    ///
    /// # Panics
    ///
    /// If the link is not inside `parent`, or not null.
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     let child = tx.flush(tx.alloc(node(2))?);
    ///     let mut parent = tx.alloc(node(1))?;
    ///     tx.attach(&mut parent, |parent| &parent.next, child);
    ///     tx.publish(&root.next, tx.persist(parent)?); // its fence covers the child
    ///     Ok(())
    /// })?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn attach<P, T>(
        &self,
        parent: &mut Pm<'t, P, Dirty>,
        link: impl FnOnce(&P) -> &Link<T>,
        child: impl Attach<'t, T>,
    ) where
        P: Target + ?Sized,
        T: Target + ?Sized,
    {
        let start = parent.address();
        let size = P::byte_len(parent.pointer());
        let link = link(parent);
        let slot = link.address();
        if slot < start || slot + size_of::<u64>() > start + size {
            self.break_rule("`attach` was given a link that is not inside the parent");
        }
        if !link.is_null() {
            self.break_rule("`attach` onto a link that is occupied");
        }
        if let Some(child) = child.target() {
            link.cell().store(link::offset_to(slot, child), std::sync::atomic::Ordering::Relaxed);
            self.owned(child);
        }
    }

    /// Makes `object` reachable through `slot` when the transaction commits. The slot must be empty.
    ///
    /// Takes what is durable: `Persisted`, [`Taken`], or an `Option` of these.
    ///
    /// # Panics
    ///
    /// If the slot is outside this region, or occupied as the transaction sees it (use [`Tx::take`] first, or
    /// [`Tx::replace`]).
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     let new = tx.persist(tx.alloc(node(1))?)?;
    ///     tx.publish(&root.next, new); // pending: the link changes at the commit
    ///     Ok(())
    /// })?;
    /// assert_eq!(region.root().next.get().unwrap().key, 1);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn publish<T: Target + ?Sized>(&self, slot: &'t Link<T>, object: impl Publish<'t, T>) {
        let at = self.empty_slot(slot);
        let target = object.target();
        self.fill(at, slot.address(), target, Location::caller());
    }

    /// As [`Tx::publish`], and takes `Flushed` objects too: the commit's one fence covers all that was staged, because
    /// its record holds a hash of it. Of more than is worth a hash (2 KiB on persistent memory), and of a new log, the
    /// commit makes sure with a fence of its own before it changes anything.
    ///
    /// # Panics
    ///
    /// As for [`Tx::publish`].
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     let new = tx.flush(tx.alloc(node(1))?); // Flushed will do
    ///     tx.stage(&root.next, new);
    ///     Ok(())
    /// })?;
    /// assert_eq!(region.root().next.get().unwrap().key, 1);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn stage<T: Target + ?Sized>(&self, slot: &'t Link<T>, object: impl Stage<'t, T>) {
        let at = self.empty_slot(slot);
        let target = object.target();
        self.fill(at, slot.address(), target, Location::caller());
    }

    /// Unlinks what `slot` points to, as the transaction sees it. It must find another owner, or be freed.
    ///
    /// # Panics
    ///
    /// If the slot is outside this region.
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     # tx.publish(&root.next, tx.persist(tx.alloc(node(1))?)?);
    ///     if let Some(first) = tx.take(&root.next) {
    ///         let rest = tx.take(&first.get().next);
    ///         tx.publish(&root.next, rest); // what followed it takes its place
    ///         tx.free(first);
    ///     }
    ///     Ok(())
    /// })?;
    /// assert!(region.root().next.is_null());
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[must_use = "publish, attach, rewrite or free it: an object that stays taken makes the commit fail with `Error::Orphaned`"]
    #[track_caller]
    pub fn take<T: Target + ?Sized>(&self, slot: &'t Link<T>) -> Option<Taken<'t, T>> {
        let at = self.offset_in_region(slot.address());
        let offset = self.view(at);
        if offset == 0 {
            return None;
        }
        self.set_pending(at, 0, Location::caller());
        // SAFETY: as the transaction sees it, the slot leads to an object.
        let target = unsafe { link::target(slot.address(), offset) };
        let target = NonNull::new(target).expect("no object lies at address 0");
        self.opened(target.addr().get(), Location::caller());
        // SAFETY: the slot was its target's only owner, and is null from now on.
        Some(unsafe { Taken::new(target) })
    }

    /// [`Tx::take`], then [`Tx::publish`] into the same slot.
    ///
    /// # Panics
    ///
    /// If the slot is outside this region.
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     let new = tx.persist(tx.alloc(node(1))?)?;
    ///     let old = tx.replace(&root.next, new); // Option<Taken<Node>>
    ///     tx.free(old);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[must_use = "publish, attach, rewrite or free it: an object that stays taken makes the commit fail with `Error::Orphaned`"]
    #[track_caller]
    pub fn replace<T: Target + ?Sized>(
        &self,
        slot: &'t Link<T>,
        object: impl Publish<'t, T>,
    ) -> Option<Taken<'t, T>> {
        let old = self.take(slot);
        let at = self.offset_in_region(slot.address());
        let target = object.target();
        self.fill(at, slot.address(), target, Location::caller());
        old
    }

    /// What `slot` points to, with this transaction's own changes.
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     tx.publish(&root.next, tx.persist(tx.alloc(node(1))?)?);
    ///     assert_eq!(tx.get(&root.next).map(|node| node.key), Some(1)); // this transaction's own change
    ///     assert!(root.next.get().is_none()); // the state at its start
    ///     Ok(())
    /// })?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    pub fn get<T: Target + ?Sized>(&self, slot: &'t Link<T>) -> Option<&'t T> {
        if !self.any_pending.get() {
            return slot.get();
        }
        let pending = self.offset_of(slot.address()).and_then(|at| self.engine.borrow().pending.get(at));
        match pending {
            None => slot.get(),
            Some(0) => None,
            Some(offset) => {
                // SAFETY: the object that was published into this slot.
                let target = unsafe { link::target(slot.address(), offset) };
                // SAFETY: valid, and not written to as long as the transaction runs; its block is not reused
                // before the end.
                Some(unsafe { &*target })
            }
        }
    }

    /// Gives back the objects and everything they own, as the transaction sees it when it commits. Takes any
    /// handle, [`Taken`] or [`Child`](crate::Child), or an `Option`, `Vec`, array or tuple of these.
    ///
    /// The memory is free for the next transaction, not for this one.
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     # tx.publish(&root.next, tx.persist(tx.alloc(node(1))?)?);
    ///     tx.free(tx.take(&root.next)); // and everything behind it
    ///     Ok(())
    /// })?;
    /// assert_eq!(region.usage()?.objects, 1); // the root
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn free<X: Owned<'t>>(&self, objects: X) {
        objects.free_in(self);
    }

    /// Gives `word` this value when the transaction commits.
    ///
    /// # Panics
    ///
    /// If the word is outside this region.
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     tx.store(&root.hits, 5);
    ///     Ok(())
    /// })?;
    /// assert_eq!(region.root().hits.get(), 5);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn store<T: Copy + Persistent<Links = No>>(&self, word: &'t Word<T>, value: T) {
        let at = self.offset_in_region(word.address());
        self.set_pending(at, Word::pack(value), Location::caller());
    }

    /// The value of `word`, with this transaction's own stores.
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     tx.store(&root.hits, 5);
    ///     assert_eq!(tx.load(&root.hits), 5); // this transaction's own change
    ///     assert_eq!(root.hits.get(), 0); // the state at its start
    ///     Ok(())
    /// })?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    pub fn load<T: Copy + Persistent<Links = No>>(&self, word: &'t Word<T>) -> T {
        if !self.any_pending.get() {
            return word.get();
        }
        let pending = self.offset_of(word.address()).and_then(|at| self.engine.borrow().pending.get(at));
        pending.map_or_else(|| word.get(), Word::unpack)
    }

    fn free_object<T: Target + ?Sized>(&self, object: NonNull<T>) {
        let at = object.addr().get() - self.medium.map().address();
        self.engine.borrow_mut().free(at, T::target_info());
        self.owned(object.addr().get());
    }

    /// The offset of a slot that holds nothing.
    #[track_caller]
    fn empty_slot<T: Target + ?Sized>(&self, slot: &'t Link<T>) -> usize {
        let at = self.offset_in_region(slot.address());
        if self.view(at) != 0 {
            self.break_rule(
                "`publish` or `stage` onto a slot that is occupied: take its object first, or use `replace`",
            );
        }
        at
    }

    fn fill(&self, at: usize, slot: usize, target: Option<usize>, origin: Origin) {
        if let Some(target) = target {
            self.set_pending(at, link::offset_to(slot, target), origin);
            self.owned(target);
        }
    }

    /// Starts the write-back of an object's block.
    #[inline(always)]
    fn flush_object<T: Target + ?Sized>(&self, object: NonNull<T>, listed: bool, origin: Origin) {
        let header = object.as_ptr().cast::<u8>().wrapping_sub(block::HEADER);
        let (size, in_one_line) = match T::FIXED_SIZE {
            Some(size) => (size, block::in_one_line(size)),
            None => (T::byte_len(object), false),
        };
        // Frames are appended to a ring, and its `TAIL` and `NEXT` change, all without a record.
        if !listed || matches!(T::target_info().kind, Kind::Ring) {
            return self.medium.flush_block(header, size, in_one_line, origin);
        }
        let engine = &mut **self.engine.borrow_mut();
        let region_id = engine.layout.region_id;
        let at = object.addr().get() - self.medium.map().address();
        // SAFETY: the handle was `Dirty` and is used up: nothing writes to the object any more.
        let hash = || unsafe { object::hash_block(self.medium.map(), region_id, at, size) };
        self.medium.flush_content(&mut engine.content, header, size, in_one_line, hash, origin);
    }

    /// The word at this offset, as the transaction sees it.
    #[inline]
    fn view(&self, at: usize) -> u64 {
        self.engine.borrow().pending.get(at).unwrap_or_else(|| self.medium.map().load(at))
    }

    #[inline]
    fn set_pending(&self, at: usize, value: u64, origin: Origin) {
        if !self.any_pending.get() {
            self.any_pending.set(true);
        }
        if !self.engine.borrow_mut().pending.set_next::<M>(at, value) {
            self.set_pending_slowly(at, value, origin);
        }
    }

    #[cold]
    #[inline(never)]
    fn set_pending_slowly(&self, at: usize, value: u64, origin: Origin) {
        self.engine.borrow_mut().pending.set::<M>(at, value, origin);
    }

    /// The offset of a word that lies where objects do.
    #[inline]
    fn offset_of(&self, address: usize) -> Option<usize> {
        let at = self.medium.map().offset_of(address, size_of::<u64>())?;
        (at >= self.root).then_some(at)
    }

    #[inline]
    #[track_caller]
    fn offset_in_region(&self, address: usize) -> usize {
        match self.offset_of(address) {
            Some(at) => at,
            None => self.break_rule("a slot or word that is not in this transaction's region"),
        }
    }

    /// There is a new handle of the object at this address, which must find an owner.
    #[inline]
    fn opened(&self, address: usize, origin: Origin) {
        self.open.set(self.open.get() + 1);
        if cfg!(debug_assertions) {
            self.engine.borrow_mut().handles.opened(address, origin);
        }
    }

    /// The object at this address has an owner now (published, attached, rewritten or freed): one open handle less.
    #[inline]
    fn owned(&self, address: usize) {
        self.open.set(self.open.get() - 1);
        if cfg!(debug_assertions) {
            self.engine.borrow_mut().handles.owned(address);
        }
    }

    /// [`Error::Damaged`], for something wrong in the object at this address.
    #[cold]
    pub(crate) fn damaged(&self, address: usize, place: &str, found: &str, expected: &str) -> Error {
        let map = self.medium.map();
        Error::damaged(self.medium.path(), place, address.wrapping_sub(map.address()), found, expected)
    }

    fn poison(&self, error: Error) -> Error {
        self.engine.borrow_mut().poison(&error);
        error
    }

    /// A broken rule: the transaction can't commit any more, whoever catches the panic.
    #[cold]
    #[track_caller]
    fn break_rule(&self, rule: &str) -> ! {
        self.broken.set(true);
        panic!("persistent-memory rule broken: {rule}; the transaction is aborted");
    }
}

/// Aborts: a commit that succeeds leaves nothing to drop.
impl<M: Medium> Drop for Tx<'_, M> {
    #[cold]
    fn drop(&mut self) {
        let engine = self.engine.get_mut();
        engine.abort(&self.medium);
    }
}
