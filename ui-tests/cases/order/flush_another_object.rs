//! The wrong object is flushed: the one that is published stays in the cache.
//!
//! BUGS 13 (RECIPE P-HOT)

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
        let old = tx.alloc(Node { key: 1, next: Link::null() })?;
        let new = tx.alloc(Node { key: 1, next: Link::null() })?;
        let old = tx.persist(old)?;
        tx.publish(&root.next, new);
        tx.free(old);
        Ok(())
    })
}
