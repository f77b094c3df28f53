//! The parent would change after its flush.

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
        let child = tx.flush(child);
        let node = tx.alloc(Node { key: 1, next: Link::null() })?;
        let mut node = tx.flush(node);
        tx.attach(&mut node, |node| &node.next, child);
        let node = tx.fence(node)?;
        tx.publish(&root.next, node);
        Ok(())
    })
}
