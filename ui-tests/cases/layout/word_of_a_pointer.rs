//! A word holds a value that means the same after a restart.

use indelible::{Persistent, Word};

#[derive(Persistent)]
#[repr(C)]
struct Root {
    next: Word<*const u64>,
}

fn main() {}
