//! A transaction is begun by `transact` only.

use indelible::medium::Emulated;
use indelible::{Region, Tx};

fn main() -> indelible::Result<()> {
    let region = Region::new(1 << 20, 0_u64)?;
    let tx: Tx<'_, Emulated> = Tx::begin(region.medium(), unimplemented!(), unimplemented!());
    drop(tx.alloc(1_u64)?);
    Ok(())
}
