//! A reference means nothing after a restart.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    key: u64,
    value: &'static u64,
}

fn main() {}
