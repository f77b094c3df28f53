//! The three persistence states: what holds *in memory* while a handle has each of them.
//!
//! They are types without values that matter; a handle [`Pm`](crate::Pm) carries one as a parameter.
//! Nothing but the verbs of a transaction changes it.

use std::convert::Infallible;

/// The object may be changed. Its bytes are in the CPU caches, perhaps partly in memory: after a power
/// failure any mixture of old and new 8-byte words may be found there.
#[derive(Debug)]
pub enum Dirty {}

/// Every cache line of the object has been written back *towards* memory since its last change. The
/// write-backs may still be on their way: only a fence on the same thread waits for them, and so this
/// state can't be sent to another thread.
#[derive(Debug)]
pub struct Flushed(Infallible, OnItsThread);

/// Is neither `Send` nor `Sync`. (An array instead of `PhantomData`, because the compiler's message about it
/// then names nothing that lies outside this crate.)
#[derive(Debug)]
pub(crate) struct OnItsThread([*const (); 0]);

impl OnItsThread {
    pub(crate) const MARKER: Self = OnItsThread([]);
}

/// A fence followed the flush: the object is in the persistence domain and survives a power failure.
/// Only now may it be published.
#[derive(Debug)]
pub enum Persisted {}

/// One of [`Dirty`], [`Flushed`], [`Persisted`]. Sealed.
pub trait State: Sealed {}

pub(crate) trait Sealed {}
impl Sealed for Dirty {}
impl Sealed for Flushed {}
impl Sealed for Persisted {}
impl State for Dirty {}
impl State for Flushed {}
impl State for Persisted {}

static_assertions::assert_not_impl_any!(Flushed: Send);
