//! Streamed, and nobody will fence or publish it.
#![deny(unused_must_use)]

use indelible::{Link, Region};

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Link::<[u64]>::null())?;
    region.transact(|tx, _| {
        tx.stream_slice(&[1_u64; 1000])?;
        Ok(())
    })
}
