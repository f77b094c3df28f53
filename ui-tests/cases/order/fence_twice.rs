//! The object is durable already: a second fence would wait for nothing.

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
        let node = tx.alloc(Node { key: 1, next: Link::null() })?;
        let node = tx.persist(node)?;
        let node = tx.fence(node)?;
        tx.publish(&root.next, node);
        Ok(())
    })
}
