//! The ring would have two owners: the log in the region, and this one.

use indelible::Region;
use indelible::collections::Log;

fn main() -> indelible::Result<()> {
    let region = Region::new(1 << 20, Log::new())?;
    let log = *region.root();
    println!("{log:?}");
    Ok(())
}
