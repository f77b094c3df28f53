//! An object is freed by its one owner, once.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|tx, _| {
        let node = tx.alloc(Node { key: 1, next: Link::null() })?;
        tx.free(node);
        tx.free(node);
        Ok(())
    })
}
