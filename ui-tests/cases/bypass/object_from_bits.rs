//! `Bits` can be made from bytes by anyone, and never becomes the object.

use indelible::__private::zerocopy::TryFromBytes;
use indelible::{Link, Persistent};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() {
    let bits = <Node as Persistent>::Bits::try_read_from_bytes(&[1; 16]);
    let node: Node = bits.expect("any 16 bytes are");
    println!("{}", node.key);
}
