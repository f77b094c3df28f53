//! What a reference shows may be freed once its transaction is committed.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    let mut kept = None;
    region.transact(|tx, root| {
        kept = tx.get(&root.next);
        Ok(())
    })?;
    println!("{:?}", kept.map(|node| node.key));
    Ok(())
}
