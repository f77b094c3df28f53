//! Nothing in persistent memory is ever dropped.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    value: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {}
}

fn main() {}
