//! `transact` gives the root by `&`: `&mut` is had neither by asking nor by a closure with another
//! signature.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|_, root: &mut Node| {
        root.key = 1;
        Ok(())
    })
}
