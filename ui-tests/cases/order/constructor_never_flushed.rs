//! A constructor promises a durable object and only fences it: its stores were never flushed.
//!
//! BUGS 6 (FAST_FAIR)

use indelible::medium::Emulated;
use indelible::state::Persisted;
use indelible::{Link, Persistent, Pm, Region, Result, Tx};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn new<'t>(tx: &Tx<'t, Emulated>, key: u64) -> Result<Pm<'t, Node, Persisted>> {
    let node = tx.alloc(Node { key, next: Link::null() })?;
    tx.fence(node)
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|tx, root| {
        tx.publish(&root.next, new(tx, 1)?);
        Ok(())
    })
}
