//! The item is linked, and changed after that.
//!
//! BUGS 17 (memcached-pmem)

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
        let mut item = tx.flush(tx.alloc(Node { key: 1, next: Link::null() })?);
        tx.stage(&root.next, item);
        *item.fields().key = 2;
        Ok(())
    })
}
