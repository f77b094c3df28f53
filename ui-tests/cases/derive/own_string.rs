//! A type of the program's own with a name that the prelude has. The derive can't see whose it is, and says how to.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(transparent)]
struct String([u8; 8]);

#[derive(Persistent)]
#[repr(C)]
struct Root {
    name: String,
}

fn main() {
    let _ = Root { name: String([0; 8]) };
}
