//! The checksum says that the object is whole, and is made before the fence. A function that takes its evidence by
//! type refuses.
//!
//! BUGS 22 (NOVA issue 154)

use indelible::state::Persisted;
use indelible::{Link, Persistent, Pm, Region};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn checksum(node: &Pm<'_, Node, Persisted>) -> u64 {
    !node.key
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|tx, root| {
        let node = tx.flush(tx.alloc(Node { key: 1, next: Link::null() })?);
        let sum = checksum(&node);
        tx.publish(&root.next, tx.fence(node)?);
        Ok(sum)
    })?;
    Ok(())
}
