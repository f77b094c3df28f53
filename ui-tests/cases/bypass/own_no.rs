//! The derive is led to a `No` that is `Yes`.

mod fake {
    pub use indelible::{Flag, Persistent, Target, Yes as No, __private};
}

#[derive(indelible::Persistent)]
#[persistent(crate = "crate::fake")]
#[repr(C)]
struct Node {
    value: u64,
}

fn main() {}
