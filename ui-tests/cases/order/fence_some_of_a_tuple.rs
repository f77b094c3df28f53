//! One member of the tuple was not flushed.

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
        let first = tx.flush(tx.alloc(Node { key: 1, next: Link::null() })?);
        let second = tx.alloc(Node { key: 1, next: Link::null() })?;
        let (first, second) = tx.fence((first, second))?;
        tx.publish(&root.next, first);
        tx.free(second);
        Ok(())
    })
}
