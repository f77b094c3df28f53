//! A field is updated in place and not through the transaction: half an update would survive.
//!
//! BUGS 14 (PMDK `btree_map`, `rbtree_map`)

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
            node.key = 5;
        }
        Ok(())
    })
}
