//! A record would be durable in a region that this transaction does not commit.

use indelible::Region;
use indelible::collections::Log;

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Log::new())?;
    let other = Region::new(1 << 20, Log::new())?;
    region.transact(|tx, _| other.root().append(tx, b"a record"))?;
    Ok(())
}
