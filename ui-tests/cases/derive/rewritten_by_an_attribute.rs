//! An attribute macro that changes a field after the derive has seen it.

use indelible::Persistent;
use indelible_ui_tricks::rewrite;

#[derive(Persistent)]
#[rewrite]
#[repr(C)]
struct Reading {
    value: f32,
}

fn main() {
    let _ = Reading { value: 1 };
}
