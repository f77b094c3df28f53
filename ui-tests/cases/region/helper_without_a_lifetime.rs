//! A helper that takes a slot must say that the slot lives as long as the transaction: `'t` on both.

use indelible::medium::Emulated;
use indelible::{Link, Region, Result, Tx};

fn push(tx: &Tx<Emulated>, slot: &Link<u64>, number: u64) -> Result<()> {
    let number = tx.persist(tx.alloc(number)?)?;
    tx.publish(slot, number);
    Ok(())
}

fn main() -> Result<()> {
    let mut region = Region::new(1 << 20, Link::null())?;
    region.transact(|tx, root| push(tx, root, 5))
}
