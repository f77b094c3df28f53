//! Variants with fields are not supported in this version.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(u8)]
enum Shape {
    Point,
    Circle(u32),
}

fn main() {}
