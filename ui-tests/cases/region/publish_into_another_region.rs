//! A link can't lead from one region into another.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() -> indelible::Result<()> {
    let mut one = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    let mut two = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    one.transact(|tx_one, _| {
        two.transact(|tx_two, root_two| {
            let node = tx_one.alloc(Node { key: 1, next: Link::null() })?;
            let node = tx_one.persist(node)?;
            tx_two.publish(&root_two.next, node);
            Ok(())
        })
    })
}
