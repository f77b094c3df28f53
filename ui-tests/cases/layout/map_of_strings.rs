//! A map takes `str` itself, and keeps it behind a link of its own.

use indelible::Persistent;
use indelible::collections::BTreeMap;

#[derive(Persistent)]
#[repr(C)]
struct Suppliers {
    names: BTreeMap<u64, String>,
}

fn main() {}
