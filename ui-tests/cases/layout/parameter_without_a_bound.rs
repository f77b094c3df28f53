//! A type parameter must be persistent, and in a `Word` also small and `Copy`.

use indelible::{Persistent, Word};

#[derive(Persistent)]
#[repr(C)]
struct Counter<T> {
    value: Word<T>,
}

fn main() {}
