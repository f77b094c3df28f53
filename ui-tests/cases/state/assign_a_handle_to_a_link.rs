//! A handle is no link: `attach` makes a link of it, in the object that is to own the child.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Item {
    price: u64,
    name: Link<str>,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Link::<Item>::null())?;
    region.transact(|tx, root| {
        let name = tx.flush(tx.alloc_str("bolt")?);
        let item = tx.alloc(Item { price: 5, name })?;
        tx.publish(root, tx.persist(item)?);
        Ok(())
    })
}
