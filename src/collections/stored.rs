//! [`Stored`]: what a map can hold as a key or a value, how it lies in a node, and how a link gets a new target.

use crate::medium::Medium;
use crate::persistent::require;
use crate::state::{Dirty, Flushed};
use crate::{Link, No, Persistent, Pm, Read, Result, Target, Tx};

/// What a map can hold as a key or a value. Sealed.
///
/// | type | where it lies |
/// |---|---|
/// | any `T: Persistent<Links = No> + Copy`: integers, arrays, structs without links | in the node |
/// | `str` | in a block of its own, behind a [`Link`] |
/// | `[T]` of such a `T`; `[u8]` above all | the same |
///
/// Maps take keys and values by reference and return references, `&K` and `&V`, whatever the type: a
/// `BTreeMap<str, [u8]>` takes `&str` and `&[u8]`. What lies in the node is copied when the node is, at each
/// insert into it. So a large value (from about 256 bytes on) is better stored as a slice, even of one element:
/// then a node holds 8 bytes of it, and replacing the value copies nothing else. Above 4,096 bytes a key or a value is
/// refused at compile time where it would be inserted: a node of eight is put together on the stack.
///
/// ```
/// use indelible::collections::BTreeMap;
/// use indelible::{Committed, Persistent, Region};
///
/// #[derive(Clone, Copy, Debug, PartialEq, Persistent)]
/// #[repr(C)]
/// struct Price { cents: u64 }
///
/// #[derive(Persistent)]
/// #[repr(C)]
/// struct Shop {
///     prices: BTreeMap<str, Price>,
///     pictures: BTreeMap<str, [u8]>,
/// }
///
/// let mut shop = Region::new(1 << 20, Shop { prices: BTreeMap::new(), pictures: BTreeMap::new() })?;
/// shop.transact(|tx, shop| {
///     shop.prices.insert(tx, "pear", &Price { cents: 45 })?;
///     shop.pictures.insert(tx, "pear", b"\x89PNG")?;
///     Ok(())
/// })?;
/// assert_eq!(shop.root().prices.get(&Committed, "pear"), Some(&Price { cents: 45 }));
/// # Ok::<(), indelible::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "a map can't hold `{Self}`",
    label = "neither `Copy` and free of links, nor `str`, nor a slice",
    note = "a map holds values of any `Persistent<Links = No> + Copy` type, `str`, and slices of such a type; to own what a link leads to, store its key here and the object elsewhere"
)]
pub trait Stored: Target + Layout + InCell {}

/// The most bytes that a key or a value in a node may have. A node is put together on the stack, with eight of each: at
/// most 64 KiB, for which a thread with a small stack has room too.
const IN_NODE_MAX: usize = 4096;

/// What lies in a node for a type. The trait is public because the fields of the maps have types made of it; nobody
/// outside can name it, because its module is private.
pub trait Layout {
    /// The value, or a link to it.
    type Cell: Persistent;
}

/// What a new cell is made from.
pub(crate) enum Source<'t, 'n, T: InCell + ?Sized> {
    /// A cell of a node that is being replaced. What the cell links to moves to the new one.
    Old(&'t T::Cell),
    /// A value of the caller's. It is copied into the region.
    New(&'n T),
}

impl<T: InCell + ?Sized> Clone for Source<'_, '_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: InCell + ?Sized> Copy for Source<'_, '_, T> {}

/// How a value lies in a node.
pub(crate) trait InCell: Layout {
    /// Whether the cell is a link to the value.
    const LINKED: bool;

    /// The value; `None` if the transaction has moved it to another node.
    fn view<'a>(read: &impl Read<'a>, cell: &'a Self::Cell) -> Option<&'a Self>;

    /// The new cell: the value itself, or a null link, to which [`InCell::settle`] then attaches the value.
    fn cell(source: Source<'_, '_, Self>) -> Self::Cell;

    /// Attaches the value to the cell at `slot` in `parent`, if the cell is a link.
    fn settle<'t, M: Medium, P: Target + ?Sized>(
        tx: &Tx<'t, M>,
        parent: &mut Pm<'t, P, Dirty>,
        slot: impl Fn(&P) -> &Self::Cell,
        source: Source<'t, '_, Self>,
    ) -> Result<()>;

    /// Replaces the value of a published cell without a copy of its node, if the cell is a link. Returns whether it is.
    fn replace<'t, M: Medium>(tx: &Tx<'t, M>, cell: &'t Self::Cell, new: &Self) -> Result<bool>;
}

/// Makes a link lead to a new object, and frees the old one.
#[track_caller]
pub(crate) fn swap<'t, M: Medium, T: Target + ?Sized>(
    tx: &Tx<'t, M>,
    slot: &'t Link<T>,
    new: Pm<'t, T, Flushed>,
) {
    let old = tx.take(slot);
    tx.stage(slot, new);
    tx.free(old);
}

// `do_not_recommend`, so that the compiler shows the message of `Stored`, and not the bound that failed.
#[diagnostic::do_not_recommend]
impl<T: Persistent<Links = No> + Copy> Stored for T {}
// For more types than `Stored`, so that a type that a map can't hold is one error, not two.
impl<T: Persistent> Layout for T {
    type Cell = T;
}
#[diagnostic::do_not_recommend]
impl<T: Persistent<Links = No> + Copy> InCell for T {
    const LINKED: bool = false;

    #[inline(always)]
    fn view<'a>(_: &impl Read<'a>, cell: &'a T) -> Option<&'a T> {
        Some(cell)
    }
    #[inline(always)]
    fn cell(source: Source<'_, '_, T>) -> T {
        const {
            require(
                size_of::<T>() <= IN_NODE_MAX,
                "a map's nodes hold keys and values of at most 4096 bytes: hold a larger one as a slice, `[T]` for `T` or `[u8]` for `[u8; N]`, which lies in a block of its own, or hold a key to an object that is elsewhere",
            );
        }
        match source {
            Source::Old(value) | Source::New(value) => *value,
        }
    }
    #[inline(always)]
    fn settle<'t, M: Medium, P: Target + ?Sized>(
        _: &Tx<'t, M>,
        _: &mut Pm<'t, P, Dirty>,
        _: impl Fn(&P) -> &T,
        _: Source<'t, '_, T>,
    ) -> Result<()> {
        Ok(())
    }
    fn replace<'t, M: Medium>(_: &Tx<'t, M>, _: &'t T, _: &T) -> Result<bool> {
        Ok(false)
    }
}

/// Implements the traits for a type whose values lie behind a link, allocated by `$alloc`.
macro_rules! linked {
    ([$($generics:tt)*] $type:ty, $alloc:ident) => {
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> Stored for $type {}
        impl<$($generics)*> Layout for $type {
            type Cell = Link<$type>;
        }
        impl<$($generics)*> InCell for $type {
            const LINKED: bool = true;

            #[inline]
            fn view<'a>(read: &impl Read<'a>, cell: &'a Self::Cell) -> Option<&'a Self> {
                read.get(cell)
            }
            fn cell(_: Source<'_, '_, Self>) -> Self::Cell {
                Link::null()
            }
            fn settle<'t, M: Medium, P: Target + ?Sized>(
                tx: &Tx<'t, M>,
                parent: &mut Pm<'t, P, Dirty>,
                slot: impl Fn(&P) -> &Self::Cell,
                source: Source<'t, '_, Self>,
            ) -> Result<()> {
                match source {
                    Source::Old(cell) => tx.attach(parent, slot, tx.take(cell)),
                    Source::New(value) => tx.attach(parent, slot, tx.flush(tx.$alloc(value)?)),
                }
                Ok(())
            }
            fn replace<'t, M: Medium>(tx: &Tx<'t, M>, cell: &'t Self::Cell, new: &Self) -> Result<bool> {
                let new: Pm<'t, Self, Flushed> = tx.flush(tx.$alloc(new)?);
                swap(tx, cell, new);
                Ok(true)
            }
        }
    };
}

linked!([] str, alloc_str);
linked!([T: Persistent<Links = No> + Copy] [T], alloc_slice);
