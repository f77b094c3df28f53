//! The handle that a helper answers belongs to the transaction, not to the borrow of `tx`.

use indelible::medium::Emulated;
use indelible::state::Dirty;
use indelible::{Link, Pm, Region, Result, Tx};

fn make(tx: &Tx<Emulated>, number: u64) -> Result<Pm<u64, Dirty>> {
    tx.alloc(number)
}

fn main() -> Result<()> {
    let mut region = Region::new(1 << 20, Link::null())?;
    region.transact(|tx, root| {
        tx.publish(root, tx.persist(make(tx, 5)?)?);
        Ok(())
    })
}
