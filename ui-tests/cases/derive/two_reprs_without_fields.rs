//! `repr(C)` and an integer, where no variant has fields: the compiler complains of it too.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C, i16)]
enum Colour {
    Red,
    Green,
}

fn main() {
    let _ = [Colour::Red, Colour::Green];
}
