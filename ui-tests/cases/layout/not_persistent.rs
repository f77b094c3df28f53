//! A type without the derive.

use indelible::Persistent;

struct Value;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    key: u64,
    value: Value,
}

fn main() {}
