//! The verbs that change what links lead to, and own or free objects.
//!
//! # Safety
//!
//! As in the parent module: a block has one owner as the transaction sees it, and none is reused before the
//! transaction has ended.
#![allow(unsafe_code)]

use super::Tx;
use super::operands::{Attach, Owned, Publish, Stage};
use crate::link::{self, Link};
use crate::medium::Medium;
use crate::observe::Origin;
use crate::persistent::Target;
use crate::pm::{Pm, Taken};
use crate::state::Dirty;
use std::panic::Location;
use std::ptr::NonNull;

impl<'t, M: Medium> Tx<'t, M> {
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
            self.rule("`attach` was given a link that is not inside the parent");
        }
        if !link.is_null() {
            self.rule("`attach` onto a link that is occupied");
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

    /// As [`Tx::publish`], and takes `Flushed` objects too: one fence, made by the commit before it changes
    /// anything, covers all that was staged.
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
        let at = self.place(slot.address());
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
        let at = self.place(slot.address());
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

    pub(super) fn free_object<T: Target + ?Sized>(&self, object: NonNull<T>) {
        let at = object.addr().get() - self.medium.map().address();
        self.engine.borrow_mut().free(at, T::target_info());
        self.owned(object.addr().get());
    }

    /// The offset of a slot that holds nothing.
    #[track_caller]
    fn empty_slot<T: Target + ?Sized>(&self, slot: &'t Link<T>) -> usize {
        let at = self.place(slot.address());
        if self.view(at) != 0 {
            self.rule(
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
}
