//! An object with a link is no bytes to write into.

use indelible::{Link, Persistent, Region};
use zerocopy::IntoBytes;

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|tx, _| {
        let mut node = tx.alloc(Node { key: 1, next: Link::null() })?;
        node.as_mut_bytes().fill(1);
        tx.free(node);
        Ok(())
    })
}
