//! Links are not copied, by `stream_slice` neither.

use indelible::{Link, Region};

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, 0_u64)?;
    region.transact(|tx, _| {
        tx.free(tx.stream_slice(&[Link::<u64>::null()])?);
        Ok(())
    })
}
