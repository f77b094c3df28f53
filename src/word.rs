//! [`Word`]: the 8-byte cell, the unit that hardware keeps whole.
//!
//! # Safety
//!
//! The low bytes of a word are a valid `T` and the rest is zero: `new` writes it so, the walk at open
//! checks it, and a commit stores only words that `new` packed.
#![allow(unsafe_code)]

use crate::persistent::{
    FINGERPRINT_MASK, Kind, No, Persistent, Visitor, fold_id, name_id, require, word_is_valid,
};
use std::fmt;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A value of at most 8 bytes that a transaction can change in place once it is published.
///
/// It takes 8 bytes even for a `bool`, and is never found half changed. Change it with
/// [`Tx::store`](crate::Tx::store); before its object is published, with [`Word::set`].
///
/// ```
/// # use indelible::Word;
/// let balance = Word::new(-3_i64);
/// assert_eq!(balance.get(), -3);
/// ```
#[repr(transparent)]
pub struct Word<T> {
    bits: AtomicU64,
    value: PhantomData<T>,
}

impl<T: Copy + Persistent<Links = No>> Word<T> {
    pub(crate) const FITS: () = {
        let () = T::SOUND; // no padding, above all: every byte is copied
        require(
            size_of::<T>() <= 8 && align_of::<T>() <= 8,
            "a Word holds at most 8 bytes, the unit that a power failure keeps whole; link to a larger object and publish a new one",
        )
    };

    /// A word with this value.
    #[inline]
    pub fn new(value: T) -> Self {
        Word { bits: AtomicU64::new(Self::pack(value)), value: PhantomData }
    }

    /// The value. Inside a transaction it is the value at its start; [`Tx::load`](crate::Tx::load) shows
    /// the transaction's own stores.
    #[inline]
    pub fn get(&self) -> T {
        Self::unpack(self.bits.load(Relaxed))
    }

    /// Changes the value in an object that is still `Dirty`, or not in a region yet.
    ///
    /// ```
    /// # use indelible::Word;
    /// let mut word = Word::new('a');
    /// word.set('b');
    /// assert_eq!(word.get(), 'b');
    /// ```
    #[inline]
    pub fn set(&mut self, value: T) {
        *self.bits.get_mut() = Self::pack(value);
    }

    #[inline]
    pub(crate) fn pack(value: T) -> u64 {
        const { Self::FITS };
        let mut bits = 0_u64;
        // SAFETY: T has at most eight bytes, all of them initialised (a `Persistent` type has no padding),
        // and `bits` has eight.
        unsafe {
            ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), (&raw mut bits).cast(), size_of::<T>());
        }
        bits
    }

    #[inline]
    pub(crate) fn unpack(bits: u64) -> T {
        const { Self::FITS };
        // SAFETY: T has at most eight bytes and alignment, and the module's invariant says that the low
        // bytes are a valid T.
        unsafe { (&raw const bits).cast::<T>().read() }
    }

    #[inline]
    pub(crate) fn address(&self) -> usize {
        ptr::from_ref(self).addr()
    }
}

impl<T: Copy + Persistent<Links = No> + Default> Default for Word<T> {
    fn default() -> Self {
        Word::new(T::default())
    }
}

impl<T: Copy + Persistent<Links = No> + fmt::Debug> fmt::Debug for Word<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

static_assertions::assert_eq_size!(Word<bool>, Word<i64>, u64);

// SAFETY: `Word` is `repr(transparent)` over eight bytes; the walk checks their value.
unsafe impl<T: Copy + Persistent<Links = No>> Persistent for Word<T> {
    type Links = No;
    type Fields<'a> = &'a mut Self;
    const NAME: &'static str = "Word";
    const NAME_ID: u64 = fold_id(name_id("Word"), T::NAME_ID);
    const FINGERPRINT: u64 = fold_id(name_id("Word"), T::FINGERPRINT) & FINGERPRINT_MASK;
    const KIND: Kind = Kind::Word(T::type_info);
    const CELLS: bool = true;
    const LINKED: bool = false;
    const PLAIN: bool = true;
    const BROKEN: bool = T::BROKEN;
    const CHECKED: () = Word::<T>::FITS;
    fn trace(bytes: &[u8], visitor: &mut Visitor<'_>) {
        visitor.word(bytes, word_is_valid::<T>);
    }
    unsafe fn project<'a>(this: *mut Self) -> Self::Fields<'a> {
        // SAFETY: the caller's promise.
        unsafe { &mut *this }
    }
}
