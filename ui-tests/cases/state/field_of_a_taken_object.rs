//! A taken object is read through `get`, whose reference lives to the end of the transaction.

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
            tx.publish(&root.next, tx.take(&node.next));
            tx.free(node);
        }
        Ok(())
    })
}
