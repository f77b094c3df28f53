//! A type that borrows can't outlive the process.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C)]
struct Entry<'a> {
    name: &'a u64,
}

fn main() {}
