//! The derive has one option.

use indelible::Persistent;

#[derive(Persistent)]
#[persistent(packed)]
#[repr(C)]
struct Entry {
    key: u64,
}

fn main() {}
