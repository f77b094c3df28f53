//! The derive sees the alias, the compiler sees what it stands for.

use indelible::Persistent;

type Count = usize;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    key: u64,
    value: Count,
}

fn main() {}
