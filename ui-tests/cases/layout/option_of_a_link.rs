//! A link may be null: it is its own `Option`.

use indelible::{Link, Persistent};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    next: Option<Link<Node>>,
}

fn main() {}
