//! Each object has a slot of its own.

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
        let nodes = tx.persist(vec![tx.alloc(Node { key: 1, next: Link::null() })?])?;
        tx.publish(&root.next, nodes);
        Ok(())
    })
}
