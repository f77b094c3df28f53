//! That nothing else writes to the file is the caller's promise.

use indelible::Region;

fn main() -> indelible::Result<()> {
    let region = Region::<u64>::open("number")?;
    println!("{}", region.root());
    Ok(())
}
