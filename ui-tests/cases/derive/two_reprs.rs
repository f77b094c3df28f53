//! `repr(C)` and an integer.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(C, u64)]
enum Message {
    Number(u64),
}

fn main() {
    let _ = Message::Number(1);
}
