//! A lock that is held when the power fails would stay locked.
//!
//! BUGS 25 (RECIPE P-CLHT)

use indelible::Persistent;
use std::sync::Mutex;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    key: u64,
    value: Mutex<u64>,
}

fn main() {}
