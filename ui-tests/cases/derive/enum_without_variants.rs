//! There is no value to store.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(u8)]
enum Nothing {}

fn main() {}
