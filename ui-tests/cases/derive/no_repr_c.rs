//! The compiler may lay the fields out differently in the next build.

use indelible::Persistent;

#[derive(Persistent)]
struct Entry {
    key: u64,
    value: u64,
}

fn main() {}
