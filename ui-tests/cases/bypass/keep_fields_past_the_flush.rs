//! A field is written through an old borrow, after the flush.

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
        let mut node = tx.alloc(Node { key: 1, next: Link::null() })?;
        let key = node.fields().key;
        let node = tx.flush(node);
        *key = 2;
        tx.publish(&root.next, tx.fence(node)?);
        Ok(())
    })
}
