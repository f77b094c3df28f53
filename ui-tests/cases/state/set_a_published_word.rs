//! A published word changes with its transaction or not at all: `tx.store`.

use indelible::{Persistent, Region, Word};

#[derive(Persistent)]
#[repr(C)]
struct Counter {
    hits: Word<u64>,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Counter { hits: Word::new(0) })?;
    region.transact(|_, root| {
        root.hits.set(1);
        Ok(())
    })
}
