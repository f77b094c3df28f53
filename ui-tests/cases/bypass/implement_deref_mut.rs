//! Nobody but this crate implements a trait for a handle.

use indelible::state::Dirty;
use indelible::{Link, Persistent, Pm, Region};
use std::ops::DerefMut;

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

impl DerefMut for Pm<'_, Node, Dirty> {
    fn deref_mut(&mut self) -> &mut Node {
        unimplemented!()
    }
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|tx, root| Ok(tx.free(tx.take(&root.next))))
}
