//! A tuple has no fixed layout.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    key: u64,
    value: (u64, u64),
}

fn main() {}
