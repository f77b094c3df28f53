//! A log's memory is read through the records that were accepted, and by nothing else.

use indelible::collections::Log;
use indelible::{Persistent, Region};

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    log: Log,
}

fn main() {
    let region = Region::new(1 << 20, Root::default()).unwrap();
    let bytes: &[u8] = region.root().log.ring.get().unwrap();
    println!("{bytes:?}");
}
