//! The derive is led to a description of variants of the user's own: it isn't that of the trait.

mod fake {
    pub use indelible::*;

    pub mod __private {
        pub use indelible::__private::{Arg, check};

        pub struct Variant;
    }
}

#[derive(indelible::Persistent)]
#[persistent(crate = "crate::fake")]
#[repr(u8)]
enum State {
    Open,
}

fn main() {
    let _ = State::Open;
}
