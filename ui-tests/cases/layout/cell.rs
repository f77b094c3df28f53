//! A cell could be changed without a transaction.

use indelible::Persistent;
use std::cell::Cell;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    key: u64,
    value: Cell<u64>,
}

fn main() {}
