//! The types that are `Persistent` by themselves: integers, floats, `bool`, `char`, non-zero integers and
//! `Option` of them, and arrays.
//!
//! # Safety
//!
//! Each has one layout on every 64-bit little-endian target, no padding and no drop glue, and zerocopy's
//! `TryFromBytes` knows its valid bit patterns.
#![allow(unsafe_code)]

use super::*;
use std::marker::PhantomData;
use std::num::*;
use zerocopy::TryFromBytes;

macro_rules! leaves {
    ($plain:literal: $($type:ty),* $(,)?) => {$(
        // SAFETY: see the module; no cells inside.
        #[diagnostic::do_not_recommend]
        unsafe impl Persistent for $type {
            type Links = No;
            type Fields<'a> = &'a mut $type;
            const NAME: &'static str = stringify!($type);
            const FINGERPRINT: u64 = <Self as Persistent>::NAME_ID & FINGERPRINT_MASK;
            const KIND: Kind = Kind::Leaf;
            const CELLS: bool = false;
            const LINKED: bool = false;
            const PLAIN: bool = $plain;
            #[inline(always)]
            fn valid(bytes: &[u8]) -> bool {
                $plain || <$type as TryFromBytes>::try_read_from_bytes(bytes).is_ok()
            }
            unsafe fn project<'a>(this: *mut Self) -> &'a mut Self {
                // SAFETY: the caller's promise.
                unsafe { &mut *this }
            }
        }
    )*};
}

leaves!(true: u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, f32, f64, ());
leaves!(false: bool, char);
leaves!(false: NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64, NonZeroU128);
leaves!(false: NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroI128);
// Zero is `None`.
leaves!(true: Option<NonZeroU8>, Option<NonZeroU16>, Option<NonZeroU32>, Option<NonZeroU64>, Option<NonZeroU128>);
leaves!(true: Option<NonZeroI8>, Option<NonZeroI16>, Option<NonZeroI32>, Option<NonZeroI64>, Option<NonZeroI128>);

// SAFETY: zero-sized; a type parameter that only marks.
#[diagnostic::do_not_recommend]
unsafe impl<T: Target + ?Sized> Persistent for PhantomData<T> {
    type Links = No;
    type Fields<'a> = ();
    const NAME: &'static str = "PhantomData";
    const ARGS: &'static [Arg] = &[T::TARGET_ARG];
    const FINGERPRINT: u64 = <Self as Persistent>::NAME_ID & FINGERPRINT_MASK;
    const KIND: Kind = Kind::Leaf;
    const CELLS: bool = false;
    const LINKED: bool = false;
    const PLAIN: bool = true;
    unsafe fn project<'a>(_: *mut Self) -> Self::Fields<'a> {}
}

// SAFETY: an array is its elements one after the other.
unsafe impl<T: Persistent, const N: usize> Persistent for [T; N] {
    type Links = T::Links;
    type Fields<'a> = [<T::Links as Flag>::Field<'a, T>; N];
    const NAME: &'static str = "[;]";
    const NAME_ID: u64 = fold_id(fold_id(name_id("[;]"), T::NAME_ID), N as u64);
    const FINGERPRINT: u64 = fold_id(fold_id(name_id("[;]"), T::FINGERPRINT), N as u64) & FINGERPRINT_MASK;
    const KIND: Kind = Kind::Array(T::type_info, N);
    const CELLS: bool = T::CELLS;
    const LINKED: bool = T::LINKED;
    const PLAIN: bool = T::PLAIN;
    const BROKEN: bool = T::BROKEN;
    const CHECKED: () = T::SOUND;
    fn valid(bytes: &[u8]) -> bool {
        T::PLAIN || size_of::<T>() == 0 || bytes.chunks_exact(size_of::<T>()).all(T::valid)
    }
    fn trace(bytes: &[u8], visitor: &mut Visitor<'_>) {
        if T::CELLS && size_of::<T>() > 0 {
            bytes.chunks_exact(size_of::<T>()).for_each(|element| T::trace(element, visitor));
        }
    }
    unsafe fn project<'a>(this: *mut Self) -> Self::Fields<'a> {
        let first = this.cast::<T>();
        std::array::from_fn(|i| {
            // SAFETY: `i < N`, so the element lies in the array.
            let element = unsafe { first.add(i) };
            // SAFETY: elements are disjoint, and the array is borrowed exclusively.
            unsafe { T::project_field(element) }
        })
    }
}
