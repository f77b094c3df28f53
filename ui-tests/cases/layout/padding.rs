//! Three bytes between the fields have no defined value.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    tag: u8,
    value: u32,
}

fn main() {}
