//! The derive is led to a `No` that is `Yes`.

mod fake {
    pub use indelible::{__private, Flag, Persistent, Target, Yes as No};
}

#[derive(indelible::Persistent)]
#[persistent(crate = "crate::fake")]
#[repr(C)]
struct Node {
    value: u64,
}

fn main() {}
