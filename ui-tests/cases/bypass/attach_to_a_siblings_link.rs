//! The closure of `attach` finds a link in what it is given: one of another object, kept by a leak, is no answer.

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
        let child = tx.flush(tx.alloc(Node { key: 1, next: Link::null() })?);
        let sibling = Box::leak(Box::new(tx.alloc(Node { key: 1, next: Link::null() })?));
        let mut node = tx.alloc(Node { key: 1, next: Link::null() })?;
        tx.attach(&mut node, |_| &sibling.next, child);
        tx.free(node);
        Ok(())
    })
}
