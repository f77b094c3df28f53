//! What the derive uses to reach into an object is unsafe to call.

use indelible::{Link, Persistent};
use std::ptr::NonNull;

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() {
    let node = Node { key: 1, next: Link::null() };
    *Node::project(NonNull::from(&node)).key = 2;
}
