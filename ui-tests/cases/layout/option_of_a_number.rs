//! `Option<u64>` has padding, and its layout is the compiler's own affair.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    value: Option<u64>,
}

fn main() {}
