//! A reference owns nothing: an object is taken before it is freed.

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
        if let Some(node) = tx.get(&root.next) {
            tx.free(node);
        }
        Ok(())
    })
}
