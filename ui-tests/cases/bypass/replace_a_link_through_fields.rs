//! `fields` gives `&` to a field with links: it can't be taken out.

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
        let mut node = tx.alloc(Node { key: 1, next: Link::null() })?;
        let next: &mut Link<Node> = node.fields().next;
        std::mem::take(next);
        tx.free(node);
        Ok(())
    })
}
