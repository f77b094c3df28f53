//! The types that are `Persistent` by themselves: integers, floats, `bool`, `char`, non-zero integers and
//! `Option` of them, arrays, and the two cells.
//!
//! # Safety
//!
//! Each has one layout on every 64-bit little-endian target, no padding and no drop glue, and zerocopy's
//! `TryFromBytes` knows its valid bit patterns. `Link` and `Word` are `repr(transparent)` over eight bytes
//! for which every pattern is valid memory; what a pattern *means* is checked by the walk at open.
#![allow(unsafe_code)]

use super::*;
use crate::{Link, Word};
use std::marker::PhantomData;
use std::num::*;

macro_rules! leaves {
    ($($type:ty),* $(,)?) => {$(
        // SAFETY: see the module; no cells inside.
        #[diagnostic::do_not_recommend]
        unsafe impl Persistent for $type {
            type Bits = $type;
            type Links = No;
            type Fields<'a> = &'a mut $type;
            const NAME_ID: u64 = name_id(stringify!($type));
            const FINGERPRINT: u64 = <Self as Persistent>::NAME_ID & FINGERPRINT_MASK;
            const CELLS: bool = false;
            const LINKED: bool = false;
    const FILLED: usize = size_of::<Self>();
    const CHECKED: () = ();
            fn type_info() -> &'static TypeInfo {
                const { &TypeInfo::new::<$type>(stringify!($type), &[], Kind::Leaf) }
            }
            #[inline(always)]
            fn trace(_: &Self::Bits, _: &mut Visitor<'_>) {}
            unsafe fn project<'a>(mut this: NonNull<Self>) -> &'a mut Self {
                // SAFETY: the caller's promise.
                unsafe { this.as_mut() }
            }
        }
    )*};
}

leaves!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, f32, f64, bool, char, ());
leaves!(NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64, NonZeroU128);
leaves!(NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroI128);
leaves!(Option<NonZeroU8>, Option<NonZeroU16>, Option<NonZeroU32>, Option<NonZeroU64>, Option<NonZeroU128>);
leaves!(Option<NonZeroI8>, Option<NonZeroI16>, Option<NonZeroI32>, Option<NonZeroI64>, Option<NonZeroI128>);

// SAFETY: zero-sized; a type parameter that only marks.
#[diagnostic::do_not_recommend]
unsafe impl<T: Target + ?Sized> Persistent for PhantomData<T> {
    type Bits = ();
    type Links = No;
    type Fields<'a> = ();
    const NAME_ID: u64 = fold_id(name_id("PhantomData"), T::TARGET_ID);
    const FINGERPRINT: u64 = <Self as Persistent>::NAME_ID & FINGERPRINT_MASK;
    const CELLS: bool = false;
    const LINKED: bool = false;
    const FILLED: usize = size_of::<Self>();
    const CHECKED: () = ();
    fn type_info() -> &'static TypeInfo {
        const { &TypeInfo::new::<Self>("PhantomData", &[Arg::Type(T::target_info)], Kind::Leaf) }
    }
    fn trace(_: &(), _: &mut Visitor<'_>) {}
    unsafe fn project<'a>(_: NonNull<Self>) -> Self::Fields<'a> {}
}

// SAFETY: an array is its elements one after the other.
unsafe impl<T: Persistent, const N: usize> Persistent for [T; N] {
    type Bits = [T::Bits; N];
    type Links = T::Links;
    type Fields<'a> = [<T::Links as Flag>::Field<'a, T>; N];
    const NAME_ID: u64 = fold_id(fold_id(name_id("[;]"), T::NAME_ID), N as u64);
    const FINGERPRINT: u64 = fold_id(fold_id(name_id("[;]"), T::FINGERPRINT), N as u64) & FINGERPRINT_MASK;
    const CELLS: bool = T::CELLS;
    const LINKED: bool = T::LINKED;
    const FILLED: usize = size_of::<Self>();
    const CHECKED: () = T::SOUND;
    fn type_info() -> &'static TypeInfo {
        const { &TypeInfo::new::<Self>("[;]", &[], Kind::Array(T::type_info, N)) }
    }
    fn trace(bits: &Self::Bits, visitor: &mut Visitor<'_>) {
        if T::CELLS {
            bits.iter().for_each(|element| T::trace(element, visitor));
        }
    }
    unsafe fn project<'a>(this: NonNull<Self>) -> Self::Fields<'a> {
        let first = this.cast::<T>();
        std::array::from_fn(|i| {
            // SAFETY: `i < N`, so the element lies in the array.
            let element = unsafe { first.add(i) };
            // SAFETY: elements are disjoint, and the array is borrowed exclusively.
            unsafe { T::project_field(element) }
        })
    }
}

// SAFETY: `Link` is `repr(transparent)` over eight bytes; the walk checks where it points.
unsafe impl<T: Target + ?Sized> Persistent for Link<T> {
    type Bits = u64;
    type Links = Yes;
    type Fields<'a> = ();
    const NAME_ID: u64 = fold_id(name_id("Link"), T::TARGET_ID);
    const FINGERPRINT: u64 = <Self as Persistent>::NAME_ID & FINGERPRINT_MASK;
    const CELLS: bool = true;
    const LINKED: bool = true;
    const FILLED: usize = size_of::<Self>();
    const CHECKED: () = ();
    fn type_info() -> &'static TypeInfo {
        const { &TypeInfo::new::<Self>("Link", &[], Kind::Link(T::target_info)) }
    }
    fn trace(bits: &u64, visitor: &mut Visitor<'_>) {
        visitor.link(bits, T::target_info());
    }
    unsafe fn project<'a>(_: NonNull<Self>) -> Self::Fields<'a> {}
}

// SAFETY: `Word` is `repr(transparent)` over eight bytes; the walk checks their value.
unsafe impl<T: Copy + Persistent<Links = No>> Persistent for Word<T> {
    type Bits = u64;
    type Links = No;
    type Fields<'a> = &'a mut Self;
    const NAME_ID: u64 = fold_id(name_id("Word"), T::NAME_ID);
    const FINGERPRINT: u64 = fold_id(name_id("Word"), T::FINGERPRINT) & FINGERPRINT_MASK;
    const CELLS: bool = true;
    const LINKED: bool = false;
    const FILLED: usize = size_of::<Self>();
    const CHECKED: () = Word::<T>::FITS;
    fn type_info() -> &'static TypeInfo {
        const { &TypeInfo::new::<Self>("Word", &[], Kind::Word(T::type_info)) }
    }
    fn trace(bits: &u64, visitor: &mut Visitor<'_>) {
        visitor.word(bits, info::word_is_valid::<T>);
    }
    unsafe fn project<'a>(mut this: NonNull<Self>) -> &'a mut Self {
        // SAFETY: the caller's promise.
        unsafe { this.as_mut() }
    }
}
