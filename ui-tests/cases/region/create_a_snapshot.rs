//! A region created on a snapshot, which only reads.

use indelible::{Persistent, Region, Word, medium::Snapshot};

#[derive(Persistent)]
#[repr(C)]
struct Counter {
    hits: Word<u64>,
}

fn main() {
    let root = Counter { hits: Word::new(0) };
    // SAFETY: nothing else writes or truncates this file while the region is open.
    let counter = unsafe { Region::<_, Snapshot>::create("counter.pm", 1 << 20, root) };
    drop(counter);
}
