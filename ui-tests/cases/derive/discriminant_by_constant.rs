//! Where a variant has fields, its number can't be checked against a constant.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(u8)]
enum Colour {
    Red(u8) = Self::C,
}

impl Colour {
    const C: u8 = 1;
}

fn main() {
    let _ = Colour::Red(1);
}
