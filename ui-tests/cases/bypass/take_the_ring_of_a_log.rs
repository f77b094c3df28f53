//! The memory of a log is not to be had: what lies there counts only as far as its checksums say.

use indelible::collections::Log;
use indelible::{Persistent, Region};

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    log: Log,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Root::default())?;
    region.transact(|tx, root| {
        let ring = tx.take(&root.log.ring).expect("it has one");
        let bytes: &[u8] = ring.get();
        println!("{bytes:?}");
        tx.free(ring);
        Ok(())
    })
}
