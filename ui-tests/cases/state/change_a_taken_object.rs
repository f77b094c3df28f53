//! A taken object is still the published one: it is changed in a copy, which `rewrite` makes.

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
        if let Some(mut node) = tx.take(&root.next) {
            *node.fields().key = 5;
            tx.publish(&root.next, node);
        }
        Ok(())
    })
}
