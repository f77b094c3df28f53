//! A condition decides whether to flush, and is wrong for some objects. Both branches must end in the same state.
//!
//! BUGS 4 (FAST_FAIR)

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
        let node = tx.alloc(Node { key: 1, next: Link::null() })?;
        let first_of_its_line = node.key % 8 == 0;
        let node = if first_of_its_line { tx.flush(node) } else { node };
        tx.publish(&root.next, tx.fence(node)?);
        Ok(())
    })
}
