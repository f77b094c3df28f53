//! A macro in the place of a type that is another type the second time.

use indelible::Persistent;
use indelible_ui_tricks::moody;

#[derive(Persistent)]
#[repr(C)]
struct Reading {
    value: moody!(),
}

fn main() {
    let _ = Reading { value: 1.0 };
}
