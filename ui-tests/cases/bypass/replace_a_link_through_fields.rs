//! `fields` gives `&` to a field with links: `mem::replace` can't take it out.

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
        let mut node = tx.alloc(Node { key: 1, next: Link::null() })?;
        let next = std::mem::replace(node.fields().next, Link::null());
        tx.free((node, tx.alloc(next)?));
        Ok(())
    })
}
