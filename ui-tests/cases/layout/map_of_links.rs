//! A map copies its nodes, and what has a link inside can't be copied.

use indelible::collections::BTreeMap;
use indelible::{Link, Persistent};

#[derive(Persistent)]
#[repr(C)]
struct Item {
    price: u64,
    supplier: Link<str>,
}

#[derive(Persistent)]
#[repr(C)]
struct Inventory {
    items: BTreeMap<str, Item>,
}

fn main() {}
