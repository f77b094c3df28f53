//! The place that the derive measures in is of the object's size and zero, and never becomes the object.

use indelible::{Link, Persistent};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() {
    let node: Node = Node::ZEROED.assume_init();
    println!("{}", node.key);
}
