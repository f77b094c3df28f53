//! The object that is being read may be freed by the transaction.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    let node = region.root().next.get();
    region.transact(|tx, root| {
        tx.free(tx.take(&root.next));
        Ok(())
    })?;
    println!("{:?}", node.map(|node| node.key));
    Ok(())
}
