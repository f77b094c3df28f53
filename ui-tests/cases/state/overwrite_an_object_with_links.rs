//! The assignment would move a link in, and lose the one that was there.

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
        *node = Node { key: 2, next: Link::null() };
        tx.publish(&root.next, tx.persist(node)?);
        Ok(())
    })
}
