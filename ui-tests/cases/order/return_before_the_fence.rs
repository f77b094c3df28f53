//! The function promises an object that is durable, and returns before the fence: acknowledged, and lost.
//!
//! BUGS 23 (PMFS issue 8, WineFS issue 1)

use indelible::medium::Emulated;
use indelible::state::Persisted;
use indelible::{Link, Persistent, Pm, Region, Result, Tx};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn append<'t>(tx: &Tx<'t, Emulated>) -> Result<Pm<'t, Node, Persisted>> {
    let node = tx.alloc(Node { key: 1, next: Link::null() })?;
    Ok(tx.flush(node))
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|tx, root| {
        tx.publish(&root.next, append(tx)?);
        Ok(())
    })
}
