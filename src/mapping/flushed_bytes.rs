//! What [`Mapping::fence`] takes, as a sealed trait: a public name without methods over a private one that has
//! them.

use super::{Bytes, Mapping};
use crate::error::Result;
use crate::medium::Writable;
use crate::state::{Flushed, Persisted};
use std::panic::Location;

/// What [`Mapping::fence`] takes: [`Bytes`] that are `Flushed`, or a tuple, array, `Vec` or `Option` of such.
/// Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be fenced: there is no flush of it to wait for",
    label = "not `Flushed` bytes",
    note = "if it is `Dirty`, or one of several is: flush it first, or do both with `persist()?`; without the flush a power failure could keep any part of it and lose the rest",
    note = "if it is `Persisted`: it is durable and needs no other fence"
)]
pub trait FlushedBytes<M>: Fenced<M, Out = <Self as FlushedBytes<M>>::Persisted> {
    /// The same, persisted.
    type Persisted;
}

#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be fenced, and no other type can be made so: `FlushedBytes` is sealed",
    label = "not bytes of a mapping",
    note = "bytes count as durable only when `Mapping::fence` has waited for their flush; to fence several at once, put them into a tuple, array or `Vec`"
)]
pub(crate) trait Fenced<M> {
    type Out;
    /// The medium of each member.
    fn media(&self, each: &mut impl FnMut(&M) -> Result<()>) -> Result<()>;
    /// Their fences have followed.
    fn fenced(self) -> Self::Out;
}

impl<M: Writable> Mapping<M> {
    /// Waits until these bytes are durable: one fence for all of them.
    ///
    /// A fence is made on the mapping that the bytes belong to, which they know themselves. If several mappings
    /// have given bytes, each has a fence of its own: `msync` of one file says nothing about another.
    ///
    /// # Errors
    ///
    /// [`Error::Poisoned`](crate::Error::Poisoned) if a write-back failed, now or earlier. Nothing is known to be
    /// durable then.
    ///
    /// ```
    /// use indelible::mapping::Mapping;
    ///
    /// let mut mapping = Mapping::new(4096)?;
    /// let [a, b] = mapping.parts([0..8, 64..72])?;
    /// let (a, b) = Mapping::fence((a.copy(b"01234567"), b.store(7)))?; // one fence
    /// assert_eq!((&a[..2], b[0]), (&b"01"[..], 7));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn fence<X: FlushedBytes<M>>(bytes: X) -> Result<<X as FlushedBytes<M>>::Persisted> {
        let origin = Location::caller();
        // As long as the bytes exist their medium does, and no two media have one address.
        let address = |medium: &M| std::ptr::from_ref(medium);
        let mut fenced = None;
        bytes.media(&mut |medium| {
            if fenced == Some(address(medium)) {
                return Ok(());
            }
            fenced = Some(address(medium));
            medium.fence(origin)
        })?;
        Ok(bytes.fenced())
    }
}

impl<'m, M: Writable> Fenced<M> for Bytes<'m, Flushed, M> {
    type Out = Bytes<'m, Persisted, M>;
    #[inline(always)]
    fn media(&self, each: &mut impl FnMut(&M) -> Result<()>) -> Result<()> {
        each(self.medium())
    }
    #[inline(always)]
    fn fenced(self) -> Self::Out {
        self.into_persisted()
    }
}
impl<'m, M: Writable> FlushedBytes<M> for Bytes<'m, Flushed, M> {
    type Persisted = Bytes<'m, Persisted, M>;
}

macro_rules! containers {
    ($([$($generics:tt)*] $container:ty, $persisted:ty, $map:expr;)*) => {$(
        impl<M, X: FlushedBytes<M>, $($generics)*> Fenced<M> for $container {
            type Out = $persisted;
            #[inline(always)]
            fn media(&self, each: &mut impl FnMut(&M) -> Result<()>) -> Result<()> {
                self.iter().try_for_each(|member| member.media(each))
            }
            #[inline(always)]
            fn fenced(self) -> Self::Out {
                $map(self)
            }
        }
        #[diagnostic::do_not_recommend]
        impl<M, X: FlushedBytes<M>, $($generics)*> FlushedBytes<M> for $container {
            type Persisted = $persisted;
        }
    )*};
}

containers! {
    [] Vec<X>, Vec<<X as FlushedBytes<M>>::Persisted>, |all: Vec<X>| all.into_iter().map(X::fenced).collect();
    [] Option<X>, Option<<X as FlushedBytes<M>>::Persisted>, |all: Option<X>| all.map(X::fenced);
    [const N: usize] [X; N], [<X as FlushedBytes<M>>::Persisted; N], |all: [X; N]| all.map(X::fenced);
}

macro_rules! tuples {
    ($(($($name:ident $number:tt)*))*) => {$(
        impl<Med, $($name: FlushedBytes<Med>),*> Fenced<Med> for ($($name,)*) {
            type Out = ($(<$name as FlushedBytes<Med>>::Persisted,)*);
            #[inline(always)]
            fn media(&self, each: &mut impl FnMut(&Med) -> Result<()>) -> Result<()> {
                $(self.$number.media(each)?;)*
                Ok(())
            }
            #[inline(always)]
            fn fenced(self) -> Self::Out {
                ($(self.$number.fenced(),)*)
            }
        }
        #[diagnostic::do_not_recommend]
        impl<Med, $($name: FlushedBytes<Med>),*> FlushedBytes<Med> for ($($name,)*) {
            type Persisted = ($(<$name as FlushedBytes<Med>>::Persisted,)*);
        }
    )*};
}

tuples! {
    (A 0) (A 0 B 1) (A 0 B 1 C 2) (A 0 B 1 C 2 D 3) (A 0 B 1 C 2 D 3 E 4) (A 0 B 1 C 2 D 3 E 4 F 5)
}
