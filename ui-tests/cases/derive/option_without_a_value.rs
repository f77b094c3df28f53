//! The option wants a path.

use indelible::Persistent;

#[derive(Persistent)]
#[persistent(crate)]
#[repr(C)]
struct Entry {
    key: u64,
}

fn main() {}
