//! A clone of a link would be a second owner.

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
        let node = tx.alloc(Node { key: 1, next: root.next.clone() })?;
        tx.publish(&root.next, tx.persist(node)?);
        Ok(())
    })
}
