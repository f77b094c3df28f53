//! A struct with a link can't be `Copy`, and so `alloc_slice` can't copy it.

use indelible::{Link, Persistent};

#[derive(Persistent, Copy)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

impl Clone for Node {
    fn clone(&self) -> Self {
        Node { key: self.key, next: Link::null() }
    }
}

fn main() {}
