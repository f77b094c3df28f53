//! An attribute macro that changes the order of fields after the derive has seen it.

use indelible::Persistent;
use indelible_ui_tricks::swap;

#[derive(Persistent)]
#[swap]
#[repr(u32)]
enum Reading {
    Pair { first: u32, second: u32 },
}

fn main() {
    let _ = Reading::Pair { first: 1, second: 2 };
}
