//! Not through a `Pin` of the handle either.

use indelible::{Link, Persistent, Region};
use std::pin::Pin;

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

impl Unpin for Node {}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|tx, _| {
        let node = tx.alloc(Node { key: 1, next: Link::null() })?;
        let mut pinned = Pin::new(node);
        Pin::set(&mut pinned, Node { key: 2, next: Link::null() });
        tx.free(Pin::into_inner(pinned));
        Ok(())
    })
}
