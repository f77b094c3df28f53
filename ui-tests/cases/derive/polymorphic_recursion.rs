//! A type whose links lead to larger and larger types: its schema would never end.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Nest<T> {
    value: T,
    next: Link<Nest<[T; 2]>>,
}

fn main() {
    let _ = Region::new(1 << 20, Nest { value: 1_u64, next: Link::null() });
}
