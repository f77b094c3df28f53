//! A link is a cell of its own.

use indelible::{Link, Persistent, Word};

#[derive(Persistent)]
#[repr(C)]
struct Root {
    next: Word<Link<u64>>,
}

fn main() {}
