//! What a `String` owns is lost with the process.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    key: u64,
    value: String,
}

fn main() {}
