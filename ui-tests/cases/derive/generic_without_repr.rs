//! Parameters don't make up for the missing `repr(C)`.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(align(16))]
struct Entry<T> {
    value: T,
}

fn main() {}
