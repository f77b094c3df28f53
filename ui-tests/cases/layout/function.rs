//! A function is elsewhere in every build.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    key: u64,
    value: fn(u64) -> u64,
}

fn main() {}
