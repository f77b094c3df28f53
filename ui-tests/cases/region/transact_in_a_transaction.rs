//! One transaction at a time.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|_, _| {
        region.transact(|tx, root| {
            tx.free(tx.take(&root.next));
            Ok(())
        })
    })
}
