//! The function promises an object that is durable, and returns before the fence: acknowledged, and lost.
//!
//! BUGS 23 (PMFS issue 8, WineFS issue 1)

use indelible::medium::Emulated;
use indelible::state::{Dirty, Persisted};
use indelible::{Link, Persistent, Pm, Region, Tx};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn append<'t>(tx: &Tx<'t, Emulated>, node: Pm<'t, Node, Dirty>) -> Pm<'t, Node, Persisted> {
    tx.flush(node)
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|tx, root| {
        let node = tx.alloc(Node { key: 1, next: Link::null() })?;
        tx.publish(&root.next, append(tx, node));
        Ok(())
    })
}
