//! A power failure keeps 8 bytes whole, and no more.
//!
//! BUGS 18 (memcached-pmem PR 5)

use indelible::{Persistent, Region, Word};

#[derive(Persistent, Clone, Copy)]
#[repr(C)]
struct Pair {
    left: u64,
    right: u64,
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    pair: Word<Pair>,
}

fn main() -> indelible::Result<()> {
    let pair = Pair { left: 1, right: 2 };
    Region::new(1 << 20, Root { pair: Word::new(pair) })?.close()
}
