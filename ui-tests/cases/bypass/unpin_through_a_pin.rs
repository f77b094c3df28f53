//! A `Pin` of the handle gives no `&mut` either, although the safe `impl Unpin` would let it.

use indelible::{Link, Persistent, Region};
use std::ops::DerefMut;
use std::pin::Pin;

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

impl Unpin for Node {}

fn exclusive<P: DerefMut>(_: Pin<P>) {}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|tx, _| {
        let node = tx.alloc(Node { key: 1, next: Link::null() })?;
        exclusive(Pin::new(node));
        Ok(())
    })
}
