//! The region can't be closed under a transaction.

use indelible::{Link, Region};

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Link::<u64>::null())?;
    region.transact(|tx, root| {
        region.close()?;
        tx.free(tx.take(root));
        Ok(())
    })
}
