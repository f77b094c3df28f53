//! A transaction is begun by `transact` only.

use indelible::medium::Emulated;
use indelible::{Region, Tx};

fn main() -> indelible::Result<()> {
    let region = Region::new(1 << 20, 0_u64)?;
    let begin = Tx::<Emulated>::begin;
    drop(begin);
    region.close()
}
