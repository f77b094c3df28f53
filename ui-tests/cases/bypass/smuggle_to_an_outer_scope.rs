//! A handle can't be left in a variable outside, to be published by the next transaction.

use indelible::{Link, Region};

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Link::<u64>::null())?;
    let mut kept = None;
    region.transact(|tx, _| {
        kept = Some(tx.persist(tx.alloc(1_u64)?)?);
        Ok(())
    })?;
    region.transact(|tx, root| {
        tx.publish(root, kept);
        Ok(())
    })
}
