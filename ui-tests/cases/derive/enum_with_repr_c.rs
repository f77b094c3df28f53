//! `repr(C)` leaves the size of an enum to the target's C compiler.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C)]
enum Colour {
    Red,
    Green,
}

fn main() {}
