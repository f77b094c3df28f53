//! A time of this process means nothing to the next.

use indelible::Persistent;
use std::time::Instant;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    at: Instant,
}

fn main() {}
