//! A record is what its checksum says: it can be truncated and appended anew, not changed.

use indelible::Region;
use indelible::collections::Log;

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Log::new())?;
    region.transact(|_, log| {
        for (_, record) in log {
            record[0] = 7;
        }
        Ok(())
    })
}
