//! What the closure sees of the parent stays in it: the parent will change.

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
        let mut kept = None;
        tx.attach(
            &mut node,
            |parent| {
                kept = Some(&parent.key);
                &parent.next
            },
            child,
        );
        *node.fields().key = 2;
        tx.free(node);
        Ok(println!("{kept:?}"))
    })
}
