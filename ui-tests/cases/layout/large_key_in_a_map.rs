//! The same in a hash map, and of keys.

use indelible::Region;
use indelible::collections::HashMap;

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 24, HashMap::<[u8; 4097], u64>::with_seed(1))?;
    region.transact(|tx, map| map.insert(tx, &[7; 4097], &1).map(drop))
}
