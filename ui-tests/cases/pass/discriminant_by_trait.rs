//! A number that would be one thing for the enum and another for a type beside it: it is the enum's own.

use indelible::{Persistent, Region, Word};

trait Number {
    const C: u8;
}
impl<T> Number for T {
    const C: u8 = 7;
}

#[derive(Clone, Copy, Debug, PartialEq, Persistent)]
#[repr(u8)]
enum Colour {
    Red = Self::C,
}

impl Colour {
    const C: u8 = 1;
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    colour: Word<Colour>,
}

fn main() {
    assert_eq!(<Colour as Number>::C, 7);
    let region = Region::new(1 << 20, Root { colour: Word::new(Colour::Red) }).unwrap();
    assert_eq!(region.root().colour.get() as u8, 1);
}
