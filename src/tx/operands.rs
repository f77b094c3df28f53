//! What each verb takes, as sealed traits: public names without methods over private supertraits that hold
//! them. A user can neither implement one nor call what it does.

use super::Tx;
use crate::medium::Medium;
use crate::observe::Origin;
use crate::persistent::Target;
use crate::pm::{Child, Pm, Taken};
use crate::state::{Dirty, Flushed, Persisted};

/// What [`Tx::flush`] takes: a `Dirty` handle, or several.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be flushed",
    label = "not a `Dirty` handle",
    note = "only an object that may have changed since its last flush is flushed: `Pm<_, Dirty>`, or a tuple, array, `Vec` or `Option` of these; the whole object, so that no line of it can be missed and lost in a power failure",
    note = "what is `Flushed` already goes to `tx.fence`; what is `Persisted` or was published is durable; what `alloc` answered is a `Result` and wants a `?`"
)]
pub trait Flush<'t>: FlushIn<'t, Out = <Self as Flush<'t>>::Flushed> {
    /// The same, flushed.
    type Flushed;
}

#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be flushed, and no other type can be made so: `Flush` is sealed",
    label = "not a handle",
    note = "an object counts as flushed only when `tx.flush` has written its lines back; to flush several handles at once, put them into a tuple, array or `Vec`"
)]
pub(crate) trait FlushIn<'t> {
    type Out;
    /// `listed`: the commit's record may vouch for it. Not where a fence follows at once, which makes a hash useless.
    fn flush_in<M: Medium>(self, tx: &Tx<'t, M>, listed: bool, origin: Origin) -> Self::Out;
}

/// What [`Tx::fence`] takes: a `Flushed` handle, or several.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be fenced: there is no flush of it to wait for",
    label = "not a `Flushed` handle",
    note = "if it is `Dirty`, or one of several is: flush it first, or do both with `tx.persist(…)?`; without the flush a power failure could keep any part of the object and lose the rest",
    note = "if it is `Persisted`: it is durable and needs no other fence; publish or attach it"
)]
pub trait Fence<'t>: FencedIn<'t, Out = <Self as Fence<'t>>::Persisted> {
    /// The same, persisted.
    type Persisted;
}

#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be fenced, and no other type can be made so: `Fence` is sealed",
    label = "not a handle",
    note = "an object counts as durable only when `tx.fence` has waited for its flush; to fence several handles at once, put them into a tuple, array or `Vec`"
)]
pub(crate) trait FencedIn<'t> {
    type Out;
    fn fenced_in(self) -> Self::Out;
}

/// What [`Tx::publish`] takes: objects that are durable.
///
/// Sealed: a bound for functions of your own that take whatever may be published.
///
/// ```
/// # use indelible::{Link, Persistent, Region, Publish, Result, Tx};
/// # #[derive(Persistent)] #[repr(C)] struct Node { key: u64, next: Link<Node> }
/// # use indelible::medium::Medium;
/// /// Puts `object` into `slot` and frees what was there.
/// fn put<'t, M: Medium>(tx: &Tx<'t, M>, slot: &'t Link<Node>, object: impl Publish<'t, Node>) {
///     let old = tx.replace(slot, object);
///     tx.free(old);
/// }
///
/// # let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
/// region.transact(|tx, root| {
///     let node = tx.alloc(Node { key: 1, next: Link::null() })?;
///     put(tx, &root.next, tx.persist(node)?); // Pm<Node, Persisted>
///     Ok(())
/// })?;
/// region.transact(|tx, root| {
///     let rest = root.next.get().and_then(|first| tx.take(&first.next));
///     put(tx, &root.next, rest); // Option<Taken<Node>>: what was behind it, or nothing
///     Ok(())
/// })?;
/// assert!(region.root().next.is_null());
/// # Ok::<(), indelible::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be published: it is not known to be durable",
    label = "not `Persisted`",
    note = "a power failure could keep the link and lose the object it points to",
    note = "make it durable with `tx.persist(…)?` (or `tx.flush` and `tx.fence`), or let the commit fence it: `tx.stage`"
)]
pub trait Publish<'t, T: ?Sized>: Source<'t> {}

/// What [`Tx::stage`] takes: as [`Publish`], and what is flushed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be staged: it is not flushed",
    label = "not flushed",
    note = "the commit's fence waits for flushes, and this object has none: it could be lost behind its link",
    note = "flush it first: `tx.flush(…)`; the commit then makes the fence for all that was staged"
)]
pub trait Stage<'t, T: ?Sized>: Source<'t> {}

/// What [`Tx::attach`] takes: as [`Stage`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be attached: it is not flushed",
    label = "not flushed",
    note = "the fence of the parent waits for flushes, and this child has none: it could be lost behind its link",
    note = "flush it first: `tx.flush(…)`; one fence for the parent then covers both"
)]
pub trait Attach<'t, T: ?Sized>: Source<'t> {}

/// What [`Tx::free`] takes: anything that owns objects.
#[diagnostic::on_unimplemented(
    message = "`{Self}` owns no object that could be freed",
    label = "not a handle",
    note = "`free` takes handles, what `take` and `replace` answered, and tuples, arrays, `Vec`s and `Option`s of these; to free a published object, take it first"
)]
pub trait Owned<'t>: FreeIn<'t> {}

#[diagnostic::on_unimplemented(
    message = "`{Self}` owns no object, and no other type can be made to: `Owned` is sealed",
    label = "not a handle",
    note = "to free several objects at once, put their handles into a tuple, array or `Vec`"
)]
pub(crate) trait FreeIn<'t> {
    fn free_in<M: Medium>(self, tx: &Tx<'t, M>);
}

/// The address of the object that a link is to point to; `None` for a link that stays null.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be put behind a link, and no other type can be made so: `Publish`, `Stage` and `Attach` are sealed",
    label = "not a handle",
    note = "only a handle knows whether its object would survive a power failure; publish what `tx.fence` or `tx.take` answered"
)]
pub(crate) trait Source<'t> {
    fn target(self) -> Option<usize>;
}

impl<'t, T: Target + ?Sized> FlushIn<'t> for Pm<'t, T, Dirty> {
    type Out = Pm<'t, T, Flushed>;
    #[inline(always)]
    fn flush_in<M: Medium>(self, tx: &Tx<'t, M>, listed: bool, origin: Origin) -> Self::Out {
        tx.flush_object(self.pointer(), listed, origin);
        self.into_flushed()
    }
}
impl<'t, T: Target + ?Sized> Flush<'t> for Pm<'t, T, Dirty> {
    type Flushed = Pm<'t, T, Flushed>;
}

impl<'t, T: Target + ?Sized> FencedIn<'t> for Pm<'t, T, Flushed> {
    type Out = Pm<'t, T, Persisted>;
    #[inline(always)]
    fn fenced_in(self) -> Self::Out {
        self.into_persisted()
    }
}
impl<'t, T: Target + ?Sized> Fence<'t> for Pm<'t, T, Flushed> {
    type Persisted = Pm<'t, T, Persisted>;
}

impl<'t, T: Target + ?Sized, S> Source<'t> for Pm<'t, T, S> {
    fn target(self) -> Option<usize> {
        Some(self.address())
    }
}
impl<'t, T: Target + ?Sized> Source<'t> for Taken<'t, T> {
    fn target(self) -> Option<usize> {
        Some(self.address())
    }
}
impl<'t, T: Target + ?Sized> Source<'t> for Child<'t, T> {
    fn target(self) -> Option<usize> {
        match self {
            Child::New(object) => object.target(),
            Child::Old(object) => object.target(),
        }
    }
}
impl<'t, X: Source<'t>> Source<'t> for Option<X> {
    fn target(self) -> Option<usize> {
        self.and_then(|object| object.target())
    }
}

impl<'t, T: Target + ?Sized> Publish<'t, T> for Pm<'t, T, Persisted> {}
impl<'t, T: Target + ?Sized> Publish<'t, T> for Taken<'t, T> {}
impl<'t, T: Target + ?Sized, X: Publish<'t, T>> Publish<'t, T> for Option<X> {}

impl<'t, T: Target + ?Sized> Stage<'t, T> for Pm<'t, T, Persisted> {}
impl<'t, T: Target + ?Sized> Stage<'t, T> for Pm<'t, T, Flushed> {}
impl<'t, T: Target + ?Sized> Stage<'t, T> for Taken<'t, T> {}
impl<'t, T: Target + ?Sized> Stage<'t, T> for Child<'t, T> {}
impl<'t, T: Target + ?Sized, X: Stage<'t, T>> Stage<'t, T> for Option<X> {}

impl<'t, T: Target + ?Sized> Attach<'t, T> for Pm<'t, T, Persisted> {}
impl<'t, T: Target + ?Sized> Attach<'t, T> for Pm<'t, T, Flushed> {}
impl<'t, T: Target + ?Sized> Attach<'t, T> for Taken<'t, T> {}
impl<'t, T: Target + ?Sized> Attach<'t, T> for Child<'t, T> {}
impl<'t, T: Target + ?Sized, X: Attach<'t, T>> Attach<'t, T> for Option<X> {}

impl<'t, T: Target + ?Sized, S> FreeIn<'t> for Pm<'t, T, S> {
    fn free_in<M: Medium>(self, tx: &Tx<'t, M>) {
        tx.free_object(self.pointer());
    }
}
impl<'t, T: Target + ?Sized, S> Owned<'t> for Pm<'t, T, S> {}

impl<'t, T: Target + ?Sized> FreeIn<'t> for Taken<'t, T> {
    fn free_in<M: Medium>(self, tx: &Tx<'t, M>) {
        tx.free_object(self.pointer());
    }
}
impl<'t, T: Target + ?Sized> Owned<'t> for Taken<'t, T> {}

impl<'t, T: Target + ?Sized> FreeIn<'t> for Child<'t, T> {
    fn free_in<M: Medium>(self, tx: &Tx<'t, M>) {
        match self {
            Child::New(object) => object.free_in(tx),
            Child::Old(object) => object.free_in(tx),
        }
    }
}
impl<'t, T: Target + ?Sized> Owned<'t> for Child<'t, T> {}

/// The verbs for several objects: `Vec`, arrays and `Option`.
macro_rules! mapped {
    ($([$($generics:tt)*] $container:ty, $flushed:ty, $persisted:ty;)*) => {$(
        impl<'t, X: Flush<'t>, $($generics)*> FlushIn<'t> for $container {
            type Out = $flushed;
            #[inline(always)]
            fn flush_in<M: Medium>(self, tx: &Tx<'t, M>, listed: bool, origin: Origin) -> Self::Out {
                Mapped::mapped(self, |object: X| object.flush_in(tx, listed, origin))
            }
        }
        #[diagnostic::do_not_recommend]
        impl<'t, X: Flush<'t>, $($generics)*> Flush<'t> for $container {
            type Flushed = $flushed;
        }
        impl<'t, X: Fence<'t>, $($generics)*> FencedIn<'t> for $container {
            type Out = $persisted;
            #[inline(always)]
            fn fenced_in(self) -> Self::Out {
                Mapped::mapped(self, |object: X| object.fenced_in())
            }
        }
        #[diagnostic::do_not_recommend]
        impl<'t, X: Fence<'t>, $($generics)*> Fence<'t> for $container {
            type Persisted = $persisted;
        }
        impl<'t, X: Owned<'t>, $($generics)*> FreeIn<'t> for $container {
            fn free_in<M: Medium>(self, tx: &Tx<'t, M>) {
                self.into_iter().for_each(|object| object.free_in(tx));
            }
        }
        #[diagnostic::do_not_recommend]
        impl<'t, X: Owned<'t>, $($generics)*> Owned<'t> for $container {}
    )*};
}

mapped! {
    [] Vec<X>, Vec<X::Flushed>, Vec<X::Persisted>;
    [] Option<X>, Option<X::Flushed>, Option<X::Persisted>;
    [const N: usize] [X; N], [X::Flushed; N], [X::Persisted; N];
}

/// The same container with every member mapped.
trait Mapped<X, Y> {
    type Out;
    fn mapped(self, f: impl FnMut(X) -> Y) -> Self::Out;
}
impl<X, Y> Mapped<X, Y> for Vec<X> {
    type Out = Vec<Y>;
    fn mapped(self, f: impl FnMut(X) -> Y) -> Vec<Y> {
        self.into_iter().map(f).collect()
    }
}
impl<X, Y> Mapped<X, Y> for Option<X> {
    type Out = Option<Y>;
    fn mapped(self, f: impl FnMut(X) -> Y) -> Option<Y> {
        self.map(f)
    }
}
impl<X, Y, const N: usize> Mapped<X, Y> for [X; N] {
    type Out = [Y; N];
    fn mapped(self, f: impl FnMut(X) -> Y) -> [Y; N] {
        self.map(f)
    }
}

macro_rules! tuples {
    ($(($($name:ident)*))*) => {$(
        impl<'t, $($name: Flush<'t>),*> FlushIn<'t> for ($($name,)*) {
            type Out = ($($name::Flushed,)*);
            #[inline(always)]
            fn flush_in<Med: Medium>(self, tx: &Tx<'t, Med>, listed: bool, origin: Origin) -> Self::Out {
                #[expect(non_snake_case, reason = "members are named after their types")]
                let ($($name,)*) = self;
                ($($name.flush_in(tx, listed, origin),)*)
            }
        }
        #[diagnostic::do_not_recommend]
        impl<'t, $($name: Flush<'t>),*> Flush<'t> for ($($name,)*) {
            type Flushed = ($($name::Flushed,)*);
        }
        impl<'t, $($name: Fence<'t>),*> FencedIn<'t> for ($($name,)*) {
            type Out = ($($name::Persisted,)*);
            #[inline(always)]
            fn fenced_in(self) -> Self::Out {
                #[expect(non_snake_case, reason = "members are named after their types")]
                let ($($name,)*) = self;
                ($($name.fenced_in(),)*)
            }
        }
        #[diagnostic::do_not_recommend]
        impl<'t, $($name: Fence<'t>),*> Fence<'t> for ($($name,)*) {
            type Persisted = ($($name::Persisted,)*);
        }
        impl<'t, $($name: Owned<'t>),*> FreeIn<'t> for ($($name,)*) {
            fn free_in<Med: Medium>(self, tx: &Tx<'t, Med>) {
                #[expect(non_snake_case, reason = "members are named after their types")]
                let ($($name,)*) = self;
                $($name.free_in(tx);)*
            }
        }
        #[diagnostic::do_not_recommend]
        impl<'t, $($name: Owned<'t>),*> Owned<'t> for ($($name,)*) {}
    )*};
}

tuples! {
    (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H)
}

/// For what was staged or stored by others: a fence and nothing to convert.
impl FencedIn<'_> for () {
    type Out = ();
    fn fenced_in(self) {}
}
#[diagnostic::do_not_recommend]
impl Fence<'_> for () {
    type Persisted = ();
}
