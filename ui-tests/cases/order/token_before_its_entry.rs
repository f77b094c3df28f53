//! The valid flag is made durable before the key and the value that it vouches for: here the flag is the link.
//!
//! BUGS 1 (Level Hashing)

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
        let mut entry = tx.alloc(Node { key: 1, next: Link::null() })?;
        tx.publish(&root.next, entry);
        *entry.fields().key = 7;
        Ok(())
    })
}
