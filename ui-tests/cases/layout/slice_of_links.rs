//! A slice of links is made in place, by `alloc_slice_with`: links are not copied.

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
        let links = tx.alloc_slice(&[Link::<u64>::null()])?;
        tx.free(links);
        Ok(())
    })
}
