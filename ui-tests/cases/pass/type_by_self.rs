//! A field's type that is named through `Self` means the struct, not its mirror.

use indelible::{Persistent, Region};

trait Family {
    type Member;
}
impl Family for Reading {
    type Member = u64;
}

#[derive(Persistent)]
#[repr(C)]
struct Reading {
    value: <Self as Family>::Member,
}

fn main() {
    let region = Region::new(1 << 20, Reading { value: 5 }).unwrap();
    assert_eq!(region.root().value, 5);
}
