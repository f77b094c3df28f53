//! An alias hides a cell from the derive, and not from the compiler.

use indelible::Persistent;
use std::cell::Cell;

type Number = Cell<u64>;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    value: Number,
}

fn main() {}
