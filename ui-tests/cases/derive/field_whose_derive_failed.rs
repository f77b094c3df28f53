//! One mistake, in a type that is a field of another: it is told once.

use indelible::Persistent;

#[derive(Persistent)]
struct Inner {
    value: u64,
}

#[derive(Persistent)]
#[repr(C)]
struct Outer {
    inner: Inner,
    several: [Inner; 2],
    tag: u64,
}

#[derive(Persistent)]
#[repr(u64)]
enum Either {
    Outer(Outer),
    Inner(Inner),
}

fn main() {
    let _ = (Either::Outer, Either::Inner);
}
