//! A range is flushed that begins and ends inside of lines. Nobody computes ranges here: a slice is flushed as a whole.
//!
//! BUGS 24 (PMFS issue 9, WineFS issue 3)

use indelible::{Link, Region};

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Link::<[u8]>::null())?;
    region.transact(|tx, root| {
        let mut bytes = tx.alloc_slice(&[0_u8; 300])?;
        bytes[70..200].fill(1);
        tx.flush(&bytes[70..200]);
        tx.publish(root, tx.persist(bytes)?);
        Ok(())
    })
}
