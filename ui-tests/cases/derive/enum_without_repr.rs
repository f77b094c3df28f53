//! The compiler may number the variants differently in the next build.

use indelible::Persistent;

#[derive(Persistent)]
enum Colour {
    Red,
    Green,
}

fn main() {}
