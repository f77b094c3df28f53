//! A `Vec` holds a pointer to the process's heap; its elements are copied with `alloc_slice`.

use indelible::Region;

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, 0_u64)?;
    region.transact(|tx, _| {
        drop(tx.alloc(vec![1_u64, 2, 3])?);
        Ok(())
    })
}
