//! Nor as the payload of a panic.

use indelible::{Link, Region};
use std::panic::panic_any;

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Link::<u64>::null())?;
    region.transact(|tx, root| {
        let number = tx.persist(tx.alloc(1_u64)?)?;
        if root.is_null() {
            panic_any(number);
        }
        tx.free(number);
        Ok(())
    })?;
    Ok(())
}
