//! Eight values of 160 KiB each would be put together on the stack.

use indelible::Region;
use indelible::collections::BTreeMap;

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 24, BTreeMap::<u64, [u8; 160 << 10]>::new())?;
    region.transact(|tx, map| map.insert(tx, &1, &[7; 160 << 10]).map(drop))
}
