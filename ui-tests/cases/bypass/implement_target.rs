//! `Target` is an unsafe trait.

use indelible::{No, Target};

struct Slices([&'static [u8]]);

impl Target for Slices {
    type Links = No;
}

fn main() {}
