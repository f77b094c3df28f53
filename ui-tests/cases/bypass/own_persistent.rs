//! The derive is led to a trait of the user's own. Nothing takes a type for persistent that has only that.

mod fake {
    pub use indelible::{__private, Flag, No};

    pub trait Persistent {
        const SOUND: ();
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
