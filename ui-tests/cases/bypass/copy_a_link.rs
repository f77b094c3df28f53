//! A copy of a link would be a second owner, at a place where the offset is wrong.

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
        let node = tx.alloc(Node { key: 1, next: root.next })?;
        tx.publish(&root.next, tx.persist(node)?);
        Ok(())
    })
}
