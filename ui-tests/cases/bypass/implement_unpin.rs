//! Links are kept in place by `Target::Links`, not by `Unpin`, which safe code can implement.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

impl Unpin for Node {}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|tx, root| {
        let node = tx.alloc(Node { key: 1, next: Link::null() })?;
        let next = std::mem::take(&mut node.next);
        drop(next);
        tx.publish(&root.next, tx.persist(node)?);
        Ok(())
    })
}
