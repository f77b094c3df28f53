//! The fence of the parent covers flushes, and the child was not flushed.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|tx, root| {
        let child = tx.alloc(Node { key: 2, next: Link::null() })?;
        let mut node = tx.alloc(Node { key: 1, next: Link::null() })?;
        tx.attach(&mut node, |node| &node.next, child);
        let node = tx.persist(node)?;
        tx.publish(&root.next, node);
        Ok(())
    })
}
