//! The tail is written with ordinary stores after the streamed part, and nothing flushes it.
//!
//! BUGS 20 (NOVA issue 105)

use indelible::{Link, Region};

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Link::<[u8]>::null())?;
    region.transact(|tx, root| {
        let copy = tx.stream_slice(&[1_u8; 1003])?;
        copy[1000..].fill(2);
        tx.publish(root, tx.fence(copy)?);
        Ok(())
    })
}
