//! Variants may be named as what the derive gives a type.

use indelible::{Link, Persistent};

#[derive(Persistent)]
#[repr(u64)]
enum Shape {
    Bits(u64),
    Fields { links: Link<Shape> },
    Links(u64),
}

#[derive(Persistent)]
#[repr(u8)]
enum Name {
    Bits,
    Fields,
    Links,
}

fn main() {
    let _ = (Shape::Bits(1), Shape::Fields { links: Link::null() }, Shape::Links(2));
    let _ = (Name::Bits, Name::Fields, Name::Links);
}
