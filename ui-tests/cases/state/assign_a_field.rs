//! An object with links gives no `&mut`, so that no link can be moved; its other fields change through `fields()`.

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
        node.key = 2;
        tx.publish(&root.next, tx.persist(node)?);
        Ok(())
    })
}
