//! A link leads to the slice itself.

use indelible::{Link, Persistent};

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    key: u64,
    value: Link<Vec<u8>>,
}

fn main() {}
