//! Flushed, and the handle that the fence should take is dropped.
#![deny(unused_must_use)]

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|tx, _| {
        let node = tx.alloc(Node { key: 1, next: Link::null() })?;
        tx.flush(node);
        Ok(())
    })
}
