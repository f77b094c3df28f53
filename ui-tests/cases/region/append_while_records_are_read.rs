//! The transaction may truncate the log and append to it where the records lay that are being read.

use indelible::Region;
use indelible::collections::Log;

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Log::new())?;
    for (_, record) in region.root() {
        region.transact(|tx, log| log.append(tx, record))?;
    }
    Ok(())
}
