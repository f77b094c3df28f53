//! zerocopy's derive refuses a type with a link, so that none is made from bytes.

use indelible::__private::zerocopy::FromBytes;
use indelible::{Link, Persistent};

#[derive(Persistent, FromBytes)]
#[zerocopy(crate = "indelible::__private::zerocopy")]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() {}
