//! Whether the transaction was committed is known from its result only.
#![deny(unused_must_use)]

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
        tx.free(tx.take(&root.next));
        Ok(())
    });
    Ok(())
}
