//! zerocopy's derive refuses a type with a link, so that none is made from bytes.

use zerocopy::FromBytes;
use indelible::{Link, Persistent};

#[derive(Persistent, FromBytes)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() {}
