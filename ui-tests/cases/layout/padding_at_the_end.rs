//! Three bytes behind the last field have no defined value.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    value: u32,
    tag: u8,
}

fn main() {}
