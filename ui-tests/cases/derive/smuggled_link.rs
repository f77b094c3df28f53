//! An attribute macro that puts a link where the derive has seen a number: `&mut` to it would be given out.

use indelible::{Link, Persistent};
use indelible_ui_tricks::smuggle;

#[derive(Persistent)]
#[smuggle]
#[repr(C)]
struct Reading {
    value: u64,
}

fn main() {
    let _ = Reading { value: Link::null() };
}
