//! `usize` has no size of its own.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    key: u64,
    value: usize,
}

fn main() {}
