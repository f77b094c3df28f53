//! `root` gives `&`, to the owner of the region too.

use indelible::{Region, Word};

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Word::new(1_u64))?;
    let root: &mut Word<u64> = region.root();
    root.set(2);
    region.close()
}
