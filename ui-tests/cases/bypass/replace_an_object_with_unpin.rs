//! A safe `impl Unpin` gives no `&mut` to an object with links: it can't be moved out.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

impl Unpin for Node {}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|tx, _| {
        let node = tx.alloc(Node { key: 1, next: Link::null() })?;
        let moved = std::mem::replace(&mut *node, Node { key: 2, next: Link::null() });
        tx.free((node, tx.alloc(moved)?));
        Ok(())
    })
}
