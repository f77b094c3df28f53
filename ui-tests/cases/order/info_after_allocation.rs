//! The array was allocated, then filled, and published without a flush.
//!
//! BUGS 15 (PMDK issue 4927)

use indelible::{Link, Region};

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Link::<[u64]>::null())?;
    region.transact(|tx, root| {
        let mut info = tx.alloc_slice(&[0_u64; 3])?;
        info[0] = 3;
        info[1] = 8;
        tx.publish(root, info);
        Ok(())
    })
}
