//! A safe `impl Unpin` gives no `&mut` to an object with links: two of them can't be swapped.

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
        let one = tx.alloc(Node { key: 1, next: Link::null() })?;
        let two = tx.alloc(Node { key: 2, next: Link::null() })?;
        std::mem::swap(&mut *one, &mut *two);
        tx.free((one, two));
        Ok(())
    })
}
