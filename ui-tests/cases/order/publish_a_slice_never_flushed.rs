//! The allocation and what it holds are used before either is durable.
//!
//! BUGS 9 (RECIPE P-BwTree)

use indelible::{Link, Region};

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Link::<[u64]>::null())?;
    region.transact(|tx, root| {
        let chunk = tx.alloc_slice(&[0_u64; 64])?;
        tx.publish(root, chunk);
        Ok(())
    })
}
