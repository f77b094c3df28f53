//! A region is mapped at a page, so nothing in it is aligned to more.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C, align(8192))]
struct Entry {
    bytes: [u8; 8192],
}

fn main() {}
