//! A link of an object under construction is no slot of the transaction: its object is where `attach` put it.

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
        let child = tx.flush(tx.alloc(Node { key: 1, next: Link::null() })?);
        let mut node = tx.alloc(Node { key: 1, next: Link::null() })?;
        tx.attach(&mut node, |node| &node.next, child);
        let child = tx.take(&node.next);
        tx.free((node, child));
        Ok(())
    })
}
