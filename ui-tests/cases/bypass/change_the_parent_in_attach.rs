//! The parent is borrowed while the closure looks for its link: it can't be changed there.

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
        let child = tx.flush(tx.alloc(Node { key: 1, next: Link::null() })?);
        let mut node = tx.alloc(Node { key: 1, next: Link::null() })?;
        tx.attach(
            &mut node,
            |parent| {
                *node.fields().key = 2;
                &parent.next
            },
            child,
        );
        tx.free(node);
        Ok(())
    })
}
