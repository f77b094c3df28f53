//! A flush of one field leaves the rest of the object behind. An object is flushed as a whole.
//!
//! BUGS 10 (RECIPE P-CLHT)

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
        tx.flush(node.fields().key);
        tx.publish(&root.next, tx.persist(node)?);
        Ok(())
    })
}
