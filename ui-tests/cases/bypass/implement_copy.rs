//! A struct with a link can't be `Copy`, and so `alloc_slice` can't copy it.

use indelible::{Link, Persistent};

#[derive(Persistent, Clone, Copy)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() {}
