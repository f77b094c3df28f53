//! A number that is one thing for the enum and another for its mirror.

use indelible::Persistent;

trait Number {
    const C: u8;
}
impl<T> Number for T {
    const C: u8 = 7;
}

#[derive(Persistent)]
#[repr(u8)]
enum Colour {
    Red = Self::C,
}

impl Colour {
    const C: u8 = 1;
}

fn main() {
    let _ = Colour::Red;
}
