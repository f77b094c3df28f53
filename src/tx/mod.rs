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

mod abort;
mod alloc;
mod blocks;
mod engine;
mod handles;
pub(crate) mod journal;
mod links;
mod operands;
mod pending;
mod read;
mod ring;
mod staging;
mod words;
pub(crate) mod writeback;

pub(crate) use engine::Engine;
pub use operands::{Attach, Fence, Flush, Owned, Publish, Stage};
pub use read::{Committed, Read};

use crate::error::{Error, Result};
use crate::format::block::{self, HEADER};
use crate::medium::Medium;
use crate::observe::Origin;
use crate::persistent::Target;
use crate::state::OnItsThread;
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
    pub(crate) fn begin(medium: &'t M, engine: &'t mut Engine, origin: Origin) -> Self {
        engine.journal.hand_over(medium, engine.fences, origin);
        Tx {
            medium: Writeback::new(medium, engine.fences),
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
        self.try_commit(origin)?;
        self.engine.get_mut().fences = self.medium.fences();
        Ok(())
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
        objects.flush_in(self, Location::caller())
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
        let flushed = self.flush(objects);
        self.fence(flushed)
    }

    /// Starts the write-back of an object's block.
    #[inline(always)]
    fn flush_object<T: Target + ?Sized>(&self, object: NonNull<T>, origin: Origin) {
        let header = object.as_ptr().cast::<u8>().wrapping_sub(HEADER);
        match T::FIXED_SIZE {
            Some(size) if block::in_one_line(size) => self.medium.flush_block(header, size, true, origin),
            _ => self.medium.flush_block(header, T::byte_len(object), false, origin),
        }
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
    fn place(&self, address: usize) -> usize {
        match self.offset_of(address) {
            Some(at) => at,
            None => self.rule("a slot or word that is not in this transaction's region"),
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

    /// It has found one.
    #[inline]
    fn owned(&self, address: usize) {
        self.open.set(self.open.get() - 1);
        if cfg!(debug_assertions) {
            self.engine.borrow_mut().handles.owned(address);
        }
    }

    /// What the object at an address in the region says is not so.
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
    fn rule(&self, rule: &str) -> ! {
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
