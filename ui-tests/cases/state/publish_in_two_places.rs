//! Every object has one owner.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Root {
    first: Link<u64>,
    second: Link<u64>,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Root { first: Link::null(), second: Link::null() })?;
    region.transact(|tx, root| {
        let number = tx.persist(tx.alloc(1_u64)?)?;
        tx.publish(&root.first, number);
        tx.publish(&root.second, number);
        Ok(())
    })
}
