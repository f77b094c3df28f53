//! zerocopy's derive refuses a type with a link, so that none is made from bytes.

use indelible::{Link, Persistent};
use zerocopy::FromBytes;

#[derive(Persistent, FromBytes)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() {}
