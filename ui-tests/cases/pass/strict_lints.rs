//! The derive's expansion breaks no rule that its user's crate has set for itself.

#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unused,
    nonstandard_style,
    future_incompatible
)]
#![deny(
    single_use_lifetimes,
    trivial_casts,
    unused_qualifications,
    unreachable_pub,
    variant_size_differences
)]

use indelible::{Link, Persistent, Word};

/// A struct with every kind of field.
#[derive(Persistent, Debug)]
#[repr(C)]
pub struct Entry<T: Copy + Persistent<Links = indelible::No>, const N: usize> {
    /// Numbers.
    pub numbers: [u64; N],
    /// A word.
    pub word: Word<T>,
    /// A link.
    pub next: Link<Entry<T, N>>,
}

/// A struct without names.
#[derive(Persistent, Debug)]
#[repr(C)]
pub struct Pair(pub u64, pub Link<str>);

/// An enum.
#[derive(Persistent, Debug, Clone, Copy)]
#[repr(i16)]
pub enum Colour {
    /// The first.
    Red = -1,
    /// The second.
    Green,
}

fn main() {
    let pair = Pair(1, Link::null());
    assert_eq!((pair.0, pair.1.is_null()), (1, true));
    let entry = Entry { numbers: [1; 3], word: Word::new(Colour::Green), next: Link::null() };
    assert!(matches!((entry.word.get(), Colour::Red), (Colour::Green, Colour::Red)));
}
