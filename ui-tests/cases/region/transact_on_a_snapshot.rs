//! A transaction on a snapshot, whose file never changes.

use indelible::{Persistent, Region, Result, Word, medium::Snapshot};

#[derive(Persistent)]
#[repr(C)]
struct Counter {
    hits: Word<u64>,
}

fn count(counter: &mut Region<Counter, Snapshot>) -> Result<()> {
    counter.transact(|tx, root| {
        tx.store(&root.hits, tx.load(&root.hits) + 1);
        Ok(())
    })
}

fn main() {
    let _ = count;
}
