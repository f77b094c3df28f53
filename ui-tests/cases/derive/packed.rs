//! In a packed struct a word may lie across two lines.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C, packed)]
struct Entry {
    tag: u8,
    value: u64,
}

fn main() {}
