//! Emulated memory is anonymous: there is no file to open.

use indelible::Region;
use indelible::medium::Emulated;

fn main() -> indelible::Result<()> {
    // SAFETY: nothing else writes or truncates this file while the region is open.
    let region = unsafe { Region::<u64, Emulated>::open("number")? };
    println!("{}", region.root());
    Ok(())
}
