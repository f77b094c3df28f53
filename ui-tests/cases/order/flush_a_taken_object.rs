//! What was published is durable, and can't have changed since.

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
        if let Some(node) = tx.take(&root.next) {
            let node = tx.flush(node);
            tx.publish(&root.next, tx.fence(node)?);
        }
        Ok(())
    })
}
