//! What the derive uses to reach into an object is unsafe to call.

use indelible::{Link, Persistent};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() {
    let mut node = Node { key: 1, next: Link::null() };
    *Node::project(&raw mut node).key = 2;
}
