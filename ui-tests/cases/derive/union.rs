//! The bytes of a union do not say which field is valid.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C)]
union Entry {
    number: u64,
    float: f64,
}

fn main() {}
