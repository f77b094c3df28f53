//! Zero-sized elements have no place of their own.

use indelible::{Persistent, Region};

#[derive(Persistent, Clone, Copy)]
#[repr(C)]
struct Nothing {}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, 0_u64)?;
    region.transact(|tx, _| {
        tx.free(tx.alloc_slice(&[Nothing {}; 3])?);
        Ok(())
    })
}
