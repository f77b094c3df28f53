//! The other region's fence need not wait for this one's flushes.

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
    one.transact(|tx_one, root_one| {
        two.transact(|tx_two, _| {
            let node = tx_one.alloc(Node { key: 1, next: Link::null() })?;
            let node = tx_one.flush(node);
            let node = tx_two.fence(node)?;
            tx_one.publish(&root_one.next, node);
            Ok(())
        })
    })
}
