//! Several gaps: all are told, with what fills them.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    tag: u8,
    value: u32,
    half: u16,
    next: u64,
    last: u8,
}

fn main() {}
