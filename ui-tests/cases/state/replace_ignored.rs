//! The object that was there is without an owner.
#![deny(unused_must_use)]

use indelible::{Link, Region};

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Link::<u64>::null())?;
    region.transact(|tx, root| {
        let number = tx.persist(tx.alloc(5_u64)?)?;
        tx.replace(root, number);
        Ok(())
    })
}
