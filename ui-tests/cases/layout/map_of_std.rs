//! The collections of the standard library live on the heap of the process.

use indelible::Persistent;
use std::collections::HashMap;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    key: u64,
    value: HashMap<u64, u64>,
}

fn main() {}
