//! An atomic could be changed without a transaction.

use indelible::Persistent;
use std::sync::atomic::AtomicU64;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    key: u64,
    value: AtomicU64,
}

fn main() {}
