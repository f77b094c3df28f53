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
        let mut node = tx.alloc(Node { key: 1, next: Link::null() })?;
        let pinned = Pin::new(&mut node);
        pinned.as_deref_mut().get_mut().key = 2;
        tx.free(node);
        Ok(())
    })
}
