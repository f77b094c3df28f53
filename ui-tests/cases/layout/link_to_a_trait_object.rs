//! A vtable is elsewhere in every build.

use indelible::{Link, Persistent};

#[derive(Persistent)]
#[repr(C)]
struct Root {
    value: Link<dyn std::fmt::Debug>,
}

fn main() {}
