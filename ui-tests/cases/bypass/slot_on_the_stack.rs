//! A slot must live as long as the transaction: one on the stack of the closure does not.

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
        let slot = Link::<Node>::null();
        let node = tx.alloc(Node { key: 1, next: Link::null() })?;
        tx.publish(&slot, tx.persist(node)?);
        Ok(())
    })
}
