//! The derive is led to a description of fields of the user's own: it isn't that of the trait.

mod fake {
    pub use indelible::*;

    pub mod __private {
        pub use indelible::__private::{Arg, check};

        pub struct Field;
    }
}

#[derive(indelible::Persistent)]
#[persistent(crate = "crate::fake")]
#[repr(C)]
struct Node {
    value: u64,
}

fn main() {}
