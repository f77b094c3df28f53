//! The handles: [`Pm`], an object under construction with its persistence state in its type; [`Taken`],
//! a published object that was unlinked in this transaction; [`Child`], either of the two.
//!
//! # Safety
//!
//! A handle points to a valid object in a block that this transaction owns, and is the only handle to it.
//! It can't be cloned, and it can't leave its transaction, because `'t` is invariant and belongs to one
//! call of `transact` alone. So `&mut` through a `Dirty` handle is exclusive, and the object stays where it
//! is until the transaction ends.
#![allow(unsafe_code)]

use crate::persistent::{No, Persistent, Target};
use crate::state::{Dirty, Flushed, Persisted};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// An object that this transaction made, in state `S`; 8 bytes (16 for slices and `str`).
///
/// It is moved by every verb. Read it through `Deref`; change it while it is `Dirty`: through `DerefMut`
/// where `T` has no links, and field by field through [`Pm::fields`] where it has.
///
/// "Cannot assign to data in dereference of `Pm<'_, Node, Dirty>`" means that `Node` has a link: write
/// `*node.fields().key = 2` instead of `node.key = 2`. The same of a handle that is not `Dirty` means that the
/// object can't change any more: a write after the flush could be lost while the rest survives.
///
/// Name it where a function builds an object for others to publish; the state says what it has done:
///
/// ```
/// use indelible::state::{Flushed, Persisted};
/// use indelible::{Link, Persistent, Pm, Region, Result, Tx, medium::Medium};
///
/// #[derive(Persistent)]
/// #[repr(C)]
/// struct Node { key: u64, next: Link<Node> }
///
/// /// A node that the caller's fence makes durable.
/// fn build<'t, M: Medium>(tx: &Tx<'t, M>, key: u64) -> Result<Pm<'t, Node, Flushed>> {
///     let mut node = tx.alloc(Node { key: 0, next: Link::null() })?; // Pm<Node, Dirty>
///     *node.fields().key = key;
///     Ok(tx.flush(node))
/// }
///
/// let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
/// region.transact(|tx, root| {
///     let node: Pm<Node, Persisted> = tx.fence(build(tx, 7)?)?;
///     assert_eq!(node.key, 7); // read in any state
///     tx.publish(&root.next, node);
///     Ok(())
/// })?;
/// # Ok::<(), indelible::Error>(())
/// ```
#[must_use = "publish, attach or free it: a handle that is dropped makes the commit fail with `Error::Orphaned`"]
#[repr(transparent)]
pub struct Pm<'t, T: ?Sized, S> {
    object: NonNull<T>,
    brand: Brand<'t, T>,
    state: PhantomData<S>,
}

/// Makes a handle invariant in `'t` and `T`.
type Brand<'t, T> = PhantomData<(fn(&'t ()) -> &'t (), *mut T)>;

// SAFETY: a handle is the only owner of a `T: Send`; a state that must stay on its thread is not `Send`.
unsafe impl<T: Target + ?Sized, S: Send> Send for Pm<'_, T, S> {}
// SAFETY: `&Pm` gives `&T` and nothing else, and `T: Sync`.
unsafe impl<T: Target + ?Sized, S> Sync for Pm<'_, T, S> {}

impl<'t, T: ?Sized, S> Pm<'t, T, S> {
    pub(crate) fn address(&self) -> usize {
        self.object.addr().get()
    }

    pub(crate) fn pointer(&self) -> NonNull<T> {
        self.object
    }

    /// The one place where a state changes: called by the verbs when they have done what it takes.
    #[inline(always)]
    fn into_state<N>(self) -> Pm<'t, T, N> {
        Pm { object: self.object, brand: PhantomData, state: PhantomData }
    }
}

impl<'t, T: ?Sized> Pm<'t, T, Dirty> {
    /// # Safety
    ///
    /// `object` is valid, in a block that the transaction `'t` owns, and has no other handle or reference.
    #[inline(always)]
    pub(crate) unsafe fn new(object: NonNull<T>) -> Self {
        Pm { object, brand: PhantomData, state: PhantomData }
    }

    /// The object's lines have been flushed.
    #[inline(always)]
    pub(crate) fn into_flushed(self) -> Pm<'t, T, Flushed> {
        self.into_state()
    }
}

impl<'t, T: ?Sized> Pm<'t, T, Flushed> {
    /// A fence has followed.
    #[inline(always)]
    pub(crate) fn into_persisted(self) -> Pm<'t, T, Persisted> {
        self.into_state()
    }
}

impl<T: Persistent> Pm<'_, T, Dirty> {
    /// The fields, one by one: `&mut` to each that has no links, `&` to each that has.
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, next: Link<Node> }
    /// # let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    /// region.transact(|tx, root| {
    ///     let mut node = tx.alloc(Node { key: 1, next: Link::null() })?;
    ///     *node.fields().key = 2;
    ///     let node = tx.persist(node)?;
    ///     tx.publish(&root.next, node);
    ///     Ok(())
    /// })?;
    /// assert_eq!(region.root().next.get().map(|node| node.key), Some(2));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn fields(&mut self) -> T::Fields<'_> {
        // SAFETY: the handle is exclusive and borrowed for as long as the fields are.
        unsafe { T::project(self.object.as_ptr()) }
    }
}

impl<T: ?Sized, S> Deref for Pm<'_, T, S> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the module's invariant; `&mut` needs `&mut self`.
        unsafe { self.object.as_ref() }
    }
}

impl<T: Target<Links = No> + ?Sized> DerefMut for Pm<'_, T, Dirty> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the module's invariant; there is no link in `T` that could be moved out.
        unsafe { self.object.as_mut() }
    }
}

impl<T: Target + ?Sized + fmt::Debug, S> fmt::Debug for Pm<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = std::any::type_name::<S>().rsplit("::").next().unwrap_or("?");
        f.debug_tuple(state).field(&&**self).finish()
    }
}

/// An object that was published and is now unlinked, as this transaction sees it. It still owns all that
/// it links to. Put it elsewhere with `publish` or `attach`, copy it with `rewrite`, or `free` it.
///
/// It is read through [`Taken::get`] and has no `Deref`, because what `get` answers lives to the end of the
/// transaction, and so do the slots in it: `tx.take(&taken.get().next)`.
#[must_use = "publish, attach, rewrite or free it: an object that stays taken makes the commit fail with `Error::Orphaned`"]
#[repr(transparent)]
pub struct Taken<'t, T: ?Sized> {
    object: NonNull<T>,
    brand: Brand<'t, T>,
}

impl<'t, T: ?Sized> Taken<'t, T> {
    /// # Safety
    ///
    /// `object` was published, stays valid and unchanged for `'t`, and has no other owner now.
    pub(crate) unsafe fn new(object: NonNull<T>) -> Self {
        Taken { object, brand: PhantomData }
    }

    /// The object as it was published.
    ///
    /// ```
    /// # use indelible::{Link, Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, hits: Word<u64>, next: Link<Node> }
    /// # let node = |key| Node { key, hits: Word::new(0), next: Link::null() };
    /// # let mut region = Region::new(1 << 20, node(0))?;
    /// region.transact(|tx, root| {
    ///     # tx.publish(&root.next, tx.persist(tx.alloc(node(1))?)?);
    ///     let first = tx.take(&root.next).expect("there is one");
    ///     assert_eq!(first.get().key, 1);
    ///     tx.free(first);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn get(&self) -> &'t T {
        // SAFETY: published memory changes at commit only, after `'t`; its block is not reused before.
        unsafe { self.object.as_ref() }
    }

    pub(crate) fn address(&self) -> usize {
        self.object.addr().get()
    }

    pub(crate) fn pointer(&self) -> NonNull<T> {
        self.object
    }
}

impl<T: Target + ?Sized + fmt::Debug> fmt::Debug for Taken<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Taken").field(&self.get()).finish()
    }
}

/// A child for [`attach`](crate::Tx::attach) or [`stage`](crate::Tx::stage) that may be new or old.
///
/// ```
/// # use indelible::{Link, Persistent, Region, Result};
/// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, next: Link<Node> }
/// use indelible::{Child, Tx, medium::Medium};
///
/// /// What `slot` holds without its first node if that has this key, and a new first node otherwise.
/// fn toggle<'t, M: Medium>(tx: &Tx<'t, M>, slot: &'t Link<Node>, key: u64) -> Result<Option<Child<'t, Node>>> {
///     let Some(first) = tx.take(slot) else {
///         let new = tx.alloc(Node { key, next: Link::null() })?;
///         return Ok(Some(tx.flush(new).into())); // Child::New
///     };
///     if first.get().key == key {
///         let rest = tx.take(&first.get().next);
///         tx.free(first);
///         return Ok(rest.map(Child::Old));
///     }
///     let mut new = tx.alloc(Node { key, next: Link::null() })?;
///     tx.attach(&mut new, |new| &new.next, first);
///     Ok(Some(tx.flush(new).into()))
/// }
///
/// # let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
/// for key in [1, 2, 2] {
///     region.transact(|tx, root| Ok(tx.stage(&root.next, toggle(tx, &root.next, key)?)))?;
/// }
/// assert_eq!(region.root().next.get().map(|node| node.key), Some(1));
/// # Ok::<(), indelible::Error>(())
/// ```
#[must_use = "attach, stage or free it: a handle that is dropped makes the commit fail with `Error::Orphaned`"]
pub enum Child<'t, T: ?Sized> {
    /// Made in this transaction, and flushed.
    New(Pm<'t, T, Flushed>),
    /// Published before.
    Old(Taken<'t, T>),
}

impl<T: Target + ?Sized + fmt::Debug> fmt::Debug for Child<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Child::New(object) => object.fmt(f),
            Child::Old(object) => object.fmt(f),
        }
    }
}

impl<'t, T: ?Sized> From<Pm<'t, T, Flushed>> for Child<'t, T> {
    fn from(object: Pm<'t, T, Flushed>) -> Self {
        Child::New(object)
    }
}

impl<'t, T: ?Sized> From<Taken<'t, T>> for Child<'t, T> {
    fn from(object: Taken<'t, T>) -> Self {
        Child::Old(object)
    }
}

static_assertions::assert_eq_size!(Pm<'static, u64, Dirty>, Option<Pm<'static, u64, Flushed>>, u64);
static_assertions::assert_not_impl_any!(Pm<'static, u64, Flushed>: Send, Clone);
static_assertions::assert_impl_all!(Pm<'static, u64, Dirty>: Send, Sync);
static_assertions::assert_impl_all!(Pm<'static, u64, Persisted>: Send, Sync);
static_assertions::assert_not_impl_any!(Taken<'static, u64>: Send, Clone);
