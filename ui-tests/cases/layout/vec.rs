//! What a `Vec` owns is lost with the process.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    key: u64,
    value: Vec<u64>,
}

fn main() {}
