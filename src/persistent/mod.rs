//! What may live in persistent memory, and what a link may point to.
//!
//! [`Persistent`] is derived. Its promise: every byte pattern that [`Persistent::Bits`] accepts is a
//! valid value, the layout is the same in every build, nothing needs dropping, and the only cells in it
//! are [`Link`](crate::Link) and [`Word`](crate::Word), both of which the trait's tracing finds.

#![allow(unsafe_code)]

mod info;
mod leaf;
pub(crate) mod ring;
pub(crate) mod samples;

pub(crate) use info::Cells;
#[doc(hidden)]
pub use info::{
    Arg, FINGERPRINT_MASK, Field, Kind, TypeInfo, Variant, Visitor, fold_id, name_id, short_variant,
};

use std::ptr::NonNull;
use zerocopy::{Immutable, KnownLayout, TryFromBytes};

/// A type whose values may be stored in a region. Implemented by `#[derive(Persistent)]`.
///
/// ```
/// use indelible::{Link, Persistent, Region, Word};
///
/// #[derive(Clone, Copy, Debug, PartialEq, Persistent)]
/// #[repr(u8)]
/// enum State { Open, Paid }
///
/// #[derive(Persistent)]
/// #[repr(C)]
/// struct Invoice {
///     number: u64,        // fixed when it is published
///     state: Word<State>, // 8 bytes that a transaction can change
///     note: Link<str>,    // optional, and of any length
///     next: Link<Invoice>,
/// }
///
/// let first = Invoice { number: 1, state: Word::new(State::Open), note: Link::null(), next: Link::null() };
/// let mut region = Region::new(1 << 20, first)?;
/// region.transact(|tx, invoice| Ok(tx.store(&invoice.state, State::Paid)))?;
/// assert_eq!(region.root().state.get(), State::Paid);
/// # Ok::<(), indelible::Error>(())
/// ```
///
/// # Safety
///
/// Implemented by the derive and by this crate only. An implementor has the size, alignment and field
/// offsets of [`Persistent::Bits`]; every value that `Bits` accepts is a valid `Self`; there is no padding
/// and no drop glue; `trace` reports every `Link` and `Word` inside, and `Links` is `Yes` if there is a
/// link. The hidden items describe the layout truly.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored in persistent memory",
    label = "not `Persistent`",
    note = "after a restart pointers, references, `Box`, `Mutex` and the like would point nowhere, and `usize` and padding differ between builds",
    note = "use `Link<T>` for a pointer or an optional object, `Word<T>` for a cell, `u64` for `usize`, and `#[derive(Persistent)]` with `#[repr(C)]` on your own types"
)]
pub unsafe trait Persistent: Send + Sync + Sized + 'static {
    /// The object as untrusted bytes: the same layout, with every link and word an integer.
    type Bits: TryFromBytes + KnownLayout + Immutable;
    /// `Yes` if there is a [`Link`](crate::Link) anywhere inside.
    type Links: Flag;
    /// What [`Pm::fields`](crate::Pm::fields) gives: a reference to each field, exclusive where it has no
    /// links.
    type Fields<'a>;

    /// Hash of the type's name and generic arguments.
    #[doc(hidden)]
    const NAME_ID: u64;
    /// Hash of the type's layout, in 48 bits; kept in each block header.
    #[doc(hidden)]
    const FINGERPRINT: u64;
    /// Whether there is a link or a word inside.
    #[doc(hidden)]
    const CELLS: bool;
    /// Whether there is a link inside. The derive finds it without naming [`Flag`].
    #[doc(hidden)]
    const LINKED: bool;
    /// Bytes of all fields together, the tag of an enum included; 0 if its variants differ.
    #[doc(hidden)]
    const FILLED: usize;
    /// Fails to evaluate if the derive finds that the layout breaks a rule; it knows the fields' names.
    #[doc(hidden)]
    const CHECKED: ();
    /// Not for implementors to give.
    #[doc(hidden)]
    const SIZE: usize = size_of::<Self>();
    /// Fails to evaluate if the layout breaks a rule; evaluated wherever an object is made. Not for
    /// implementors to give: the names in an expansion may lead to a module of the user's own
    /// (`#[persistent(crate = "…")]`, `extern crate self as core`), those here don't.
    #[doc(hidden)]
    const SOUND: () = {
        let () = Self::CHECKED;
        require(
            Self::LINKED == <Self::Links as Flag>::LINKED,
            "`Links` does not say what the fields do: the derive was led to another `Flag` than this crate's",
        );
        require(
            Self::FILLED == size_of::<Self>(),
            "the type has padding, which has no defined value in memory",
        );
        require(
            size_of::<Self>() == size_of::<Self::Bits>() && align_of::<Self>() == align_of::<Self::Bits>(),
            "the type's layout is not that of the tokens the derive was given: another macro changed it",
        );
        require(
            !std::mem::needs_drop::<Self>(),
            "the type has drop glue: nothing in persistent memory is ever dropped",
        );
        require(align_of::<Self>() <= 4096, "the type is aligned to more than 4096 bytes, a page");
    };

    #[doc(hidden)]
    fn type_info() -> &'static TypeInfo;
    /// Reports every link and word of the object whose bytes are `bits`.
    #[doc(hidden)]
    fn trace(bits: &Self::Bits, visitor: &mut Visitor<'_>);
    /// # Safety
    ///
    /// `this` points to a valid object that is borrowed exclusively for `'a`.
    #[doc(hidden)]
    unsafe fn project<'a>(this: NonNull<Self>) -> Self::Fields<'a>;
    /// One field of another type's [`Persistent::Fields`].
    ///
    /// # Safety
    ///
    /// `field` is valid and borrowed exclusively for `'a`.
    #[doc(hidden)]
    unsafe fn project_field<'a>(field: NonNull<Self>) -> <Self::Links as Flag>::Field<'a, Self> {
        // SAFETY: the caller's promise.
        unsafe { <Self::Links as Project>::project(field) }
    }
}

/// What a [`Link`](crate::Link) may point to: any [`Persistent`] type, a slice of one, or `str`.
///
/// # Safety
///
/// Implemented by this crate only.
#[diagnostic::on_unimplemented(
    message = "a `Link` can't point to `{Self}`",
    label = "not a link's target",
    note = "a link points to a type with `#[derive(Persistent)]`, to a slice `[T]` of one, or to `str`"
)]
pub unsafe trait Target: Send + Sync + 'static {
    /// `Yes` if there is a link anywhere inside.
    type Links: Flag;

    #[doc(hidden)]
    const TARGET_ID: u64;
    #[doc(hidden)]
    const TARGET_CHECKED: ();
    #[doc(hidden)]
    fn target_info() -> &'static TypeInfo;
    /// A pointer to the object at `at`; `count` is the number of elements of a slice, ignored otherwise.
    #[doc(hidden)]
    fn from_address(at: *mut u8, count: impl FnOnce(*mut u8) -> usize) -> *mut Self;
    /// Bytes of the object.
    #[doc(hidden)]
    fn byte_len(this: NonNull<Self>) -> usize;
    /// `Some` where every object of this type has the same size.
    #[doc(hidden)]
    const FIXED_SIZE: Option<usize>;
}

// SAFETY: a link to a sized type has the type's own description.
#[diagnostic::do_not_recommend]
unsafe impl<T: Persistent> Target for T {
    type Links = <T as Persistent>::Links;
    const TARGET_ID: u64 = <T as Persistent>::NAME_ID;
    const TARGET_CHECKED: () = <T as Persistent>::SOUND;
    const FIXED_SIZE: Option<usize> = Some(size_of::<T>());
    fn target_info() -> &'static TypeInfo {
        T::type_info()
    }
    #[inline(always)]
    fn from_address(at: *mut u8, _: impl FnOnce(*mut u8) -> usize) -> *mut T {
        at.cast()
    }
    fn byte_len(_: NonNull<T>) -> usize {
        size_of::<T>()
    }
}

// SAFETY: a slice has its element's description and the count from the block header.
unsafe impl<T: Persistent> Target for [T] {
    type Links = <T as Persistent>::Links;
    const TARGET_ID: u64 = fold_id(name_id("[]"), <T as Persistent>::NAME_ID);
    const TARGET_CHECKED: () = {
        let () = <T as Persistent>::SOUND;
        require(size_of::<T>() > 0, "a slice of zero-sized elements has no place in a region");
    };
    const FIXED_SIZE: Option<usize> = None;
    fn target_info() -> &'static TypeInfo {
        const { &TypeInfo::slice::<T>() }
    }
    #[inline(always)]
    fn from_address(at: *mut u8, count: impl FnOnce(*mut u8) -> usize) -> *mut [T] {
        std::ptr::slice_from_raw_parts_mut(at.cast(), count(at))
    }
    fn byte_len(this: NonNull<[T]>) -> usize {
        this.len() * size_of::<T>()
    }
}

// SAFETY: `str` is a slice of bytes that are UTF-8.
unsafe impl Target for str {
    type Links = No;
    const TARGET_ID: u64 = name_id("str");
    const TARGET_CHECKED: () = ();
    const FIXED_SIZE: Option<usize> = None;
    fn target_info() -> &'static TypeInfo {
        const { &TypeInfo::str() }
    }
    #[inline(always)]
    fn from_address(at: *mut u8, count: impl FnOnce(*mut u8) -> usize) -> *mut str {
        std::ptr::slice_from_raw_parts_mut(at, count(at)) as *mut str
    }
    fn byte_len(this: NonNull<str>) -> usize {
        (this.as_ptr() as *mut [u8]).len()
    }
}

/// An assertion for constants, also the derive's. The compiler shows it at its caller, not inside a macro of
/// `core`.
#[doc(hidden)]
#[track_caller]
pub const fn require(holds: bool, rule: &str) {
    if !holds {
        panic!("{}", rule);
    }
}

/// The pointer to a field of an object that is there, for the derive.
///
/// # Safety
///
/// `field` is not null.
#[doc(hidden)]
pub unsafe fn not_null<T>(field: *mut T) -> NonNull<T> {
    // SAFETY: the caller's promise.
    unsafe { NonNull::new_unchecked(field) }
}

/// There is a link inside.
#[derive(Debug)]
pub enum Yes {}
/// There is no link inside.
#[derive(Debug)]
pub enum No {}

/// [`Yes`] or [`No`]. Sealed.
pub trait Flag: Project {
    #[doc(hidden)]
    const LINKED: bool;
    /// `Yes` if either is.
    #[doc(hidden)]
    type Or<F: Flag>: Flag;
    /// How `fields()` shows a field: `&mut T` without links, `&T` with links.
    #[doc(hidden)]
    type Field<'a, T: 'a>;
}

pub(crate) trait Project: Sized {
    /// # Safety
    ///
    /// `field` is valid and borrowed exclusively for `'a`.
    unsafe fn project<'a, T: 'a>(field: NonNull<T>) -> <Self as Flag>::Field<'a, T>
    where
        Self: Flag;
}

impl Flag for Yes {
    const LINKED: bool = true;
    type Or<F: Flag> = Yes;
    type Field<'a, T: 'a> = &'a T;
}
impl Flag for No {
    const LINKED: bool = false;
    type Or<F: Flag> = F;
    type Field<'a, T: 'a> = &'a mut T;
}

impl Project for Yes {
    unsafe fn project<'a, T: 'a>(field: NonNull<T>) -> &'a T {
        // SAFETY: the caller's promise.
        unsafe { field.as_ref() }
    }
}
impl Project for No {
    unsafe fn project<'a, T: 'a>(mut field: NonNull<T>) -> &'a mut T {
        // SAFETY: the caller's promise.
        unsafe { field.as_mut() }
    }
}
