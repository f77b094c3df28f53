//! Emulated memory is anonymous: there is no file to create.

use indelible::Region;
use indelible::medium::Emulated;

fn main() -> indelible::Result<()> {
    // SAFETY: nothing else writes or truncates this file while the region is open.
    let region = unsafe { Region::<u64, Emulated>::create("number", 1 << 20, 5)? };
    println!("{}", region.root());
    Ok(())
}
