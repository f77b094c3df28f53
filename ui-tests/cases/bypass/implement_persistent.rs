//! `Persistent` is an unsafe trait.

use indelible::Persistent;

#[derive(Clone, Copy)]
struct Entry(usize);

impl Persistent for Entry {}

fn main() {}
