//! What may live in persistent memory, and what a link may point to.
//!
//! [`Persistent`] is derived. Its promise: bytes that it finds valid are a value, the layout is the same in every
//! build, nothing needs dropping, and the only cells in it are [`Link`](crate::Link) and [`Word`](crate::Word), both
//! of which the trait's tracing finds.

#![allow(unsafe_code)]

mod info;
mod layout;
mod leaf;

#[doc(hidden)]
pub use info::{Arg, Field, Kind, Part, TypeInfo, Variant, Visitor};
pub(crate) use info::{Cells, FINGERPRINT_MASK, fold_id, name_id, word_is_valid};
#[doc(hidden)]
pub use layout::check;

use std::mem::MaybeUninit;
use std::ptr::NonNull;

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
/// Implemented by the derive and by this crate only. The hidden items describe the layout truly: the fields that they
/// name are all there are, of these types and at these offsets. Whoever gives one that is marked as not for
/// implementors promises what it says.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored in persistent memory",
    label = "not `Persistent`",
    note = "after a restart pointers, references, `Box`, `Mutex` and the like would point nowhere, and `usize` and padding differ between builds",
    note = "use `Link<T>` for a pointer or an optional object, `Word<T>` for a cell, `u64` for `usize`, and `#[derive(Persistent)]` with `#[repr(C)]` on your own types"
)]
pub unsafe trait Persistent: Send + Sync + Sized + 'static {
    /// `Yes` if there is a [`Link`](crate::Link) anywhere inside.
    type Links: Flag;
    /// What [`Pm::fields`](crate::Pm::fields) gives: a reference to each field, exclusive where it has no
    /// links.
    type Fields<'a>;

    // What the derive says, in types that are fixed here. The names in its expansion may lead to a module of the
    // user's own (`#[persistent(crate = "…")]`, `extern crate self as indelible`), but an item of a trait is the
    // trait's, whose implementation the expansion is.

    #[doc(hidden)]
    const NAME: &'static str;
    /// Generic arguments.
    #[doc(hidden)]
    const ARGS: &'static [Arg] = &[];
    /// A struct's fields, in order.
    #[doc(hidden)]
    const FIELDS: &'static [Field] = &[];
    /// An enum's variants.
    #[doc(hidden)]
    const VARIANTS: &'static [Variant] = &[];
    /// An enum's `repr`.
    #[doc(hidden)]
    const TAG: &'static str = "";
    /// A value of each variant, if none has fields.
    #[doc(hidden)]
    const VALUES: &'static [Self] = &[];
    /// Fails to evaluate if the derive finds that the layout breaks a rule, and shows the type's own place then.
    #[doc(hidden)]
    const CHECKED: () = ();
    /// Whether the derive has failed, for this type or for one inside, which was told already.
    #[doc(hidden)]
    const BROKEN: bool = layout::traits(Self::KIND).broken;

    // What the derive takes from here, so that it needs no path.

    /// This type, for [`Part::at`].
    #[doc(hidden)]
    const PART: Part = {
        let () = Self::SOUND;
        Part {
            size: Self::SIZE,
            align: if Self::BROKEN { 1 } else { align_of::<Self>() },
            fingerprint: Self::FINGERPRINT,
            cells: Self::CELLS,
            linked: Self::LINKED,
            plain: Self::PLAIN,
            broken: Self::BROKEN,
            info: Self::type_info,
            valid: Self::valid,
            trace: Self::trace,
        }
    };
    /// This type, as an argument of another.
    #[doc(hidden)]
    const ARG: Arg = Arg::Type(Self::NAME_ID, Self::type_info);
    /// For [`Arg::number`].
    #[doc(hidden)]
    const NUMBER: Arg = Arg::Const(0);
    /// For [`Variant::of`].
    #[doc(hidden)]
    const VARIANT: Variant = Variant::NONE;
    /// A place to measure in.
    #[doc(hidden)]
    const PLACE: MaybeUninit<Self> = MaybeUninit::uninit();
    /// A place to write a tag to.
    #[doc(hidden)]
    const ZEROED: MaybeUninit<Self> = MaybeUninit::zeroed();

    // What follows. Not for implementors to give; the leaf types do.

    /// Hash of the type's name and generic arguments.
    #[doc(hidden)]
    const NAME_ID: u64 = layout::id(Self::NAME, Self::ARGS);
    /// Hash of the type's layout, in 48 bits; kept in each block header.
    #[doc(hidden)]
    const FINGERPRINT: u64 = layout::fingerprint::<Self>();
    #[doc(hidden)]
    const KIND: Kind = match Self::VARIANTS {
        [] => Kind::Struct(Self::FIELDS),
        variants => Kind::Enum(variants),
    };
    /// Whether there is a link or a word inside.
    #[doc(hidden)]
    const CELLS: bool = layout::traits(Self::KIND).cells;
    /// Whether there is a link inside.
    #[doc(hidden)]
    const LINKED: bool = layout::traits(Self::KIND).linked;
    /// Whether any bytes are valid.
    #[doc(hidden)]
    const PLAIN: bool = layout::traits(Self::KIND).plain;
    #[doc(hidden)]
    const SIZE: usize = size_of::<Self>();
    /// Fails to evaluate if the layout breaks a rule. Evaluated wherever an object is made, and for every type that a
    /// schema names.
    #[doc(hidden)]
    const SOUND: () = {
        let () = Self::CHECKED;
        layout::check::<Self>();
    };

    #[doc(hidden)]
    fn type_info() -> &'static TypeInfo {
        // Whoever names a type's description has the type checked, and so those that its links lead to.
        const {
            let () = Self::SOUND;
            &TypeInfo::new::<Self>()
        }
    }
    /// Whether these bytes, as many as the type has, are a value of it.
    #[doc(hidden)]
    fn valid(bytes: &[u8]) -> bool {
        layout::valid::<Self>(bytes)
    }
    /// Reports every link and word of the value that these bytes are.
    #[doc(hidden)]
    fn trace(bytes: &[u8], visitor: &mut Visitor<'_>) {
        layout::trace::<Self>(bytes, visitor);
    }
    /// # Safety
    ///
    /// `this` points to a valid object that is borrowed exclusively for `'a`.
    #[doc(hidden)]
    unsafe fn project<'a>(this: *mut Self) -> Self::Fields<'a>;
    /// One field of another type's [`Persistent::Fields`]. Not for implementors to give.
    ///
    /// # Safety
    ///
    /// `field` is valid and borrowed exclusively for `'a`.
    #[doc(hidden)]
    unsafe fn project_field<'a>(field: *mut Self) -> <Self::Links as Flag>::Field<'a, Self> {
        // SAFETY: the caller's promise; what is valid is not null.
        let field = unsafe { NonNull::new_unchecked(field) };
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
    /// This type, as an argument of another.
    #[doc(hidden)]
    const TARGET_ARG: Arg = Arg::Type(Self::TARGET_ID, Self::target_info);
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
        const {
            let () = <Self as Target>::TARGET_CHECKED;
            &TypeInfo::slice::<T>()
        }
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

/// An assertion for constants. The compiler shows it at its caller, not inside a macro of `core`.
#[track_caller]
pub(crate) const fn require(holds: bool, rule: &str) {
    if !holds {
        panic!("{}", rule);
    }
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
