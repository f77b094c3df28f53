//! What a `Box` owns is lost with the process.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    key: u64,
    value: Box<u64>,
}

fn main() {}
