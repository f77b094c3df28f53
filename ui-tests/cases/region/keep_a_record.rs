//! What a record lies in may be overwritten once its transaction is committed.

use indelible::Region;
use indelible::collections::Log;

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Log::new())?;
    let mut kept = None;
    region.transact(|tx, log| {
        kept = log.get(1);
        log.truncate_front(tx, 2);
        Ok(())
    })?;
    println!("{kept:?}");
    Ok(())
}
