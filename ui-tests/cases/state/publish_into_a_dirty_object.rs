//! Nothing reaches an object under construction, so nothing is published into it: `attach` was meant.

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
        let child = tx.persist(tx.alloc(Node { key: 1, next: Link::null() })?)?;
        let node = tx.alloc(Node { key: 1, next: Link::null() })?;
        tx.publish(&node.next, child);
        tx.publish(&root.next, tx.persist(node)?);
        Ok(())
    })
}
