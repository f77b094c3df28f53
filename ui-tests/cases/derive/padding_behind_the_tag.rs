//! A tag of one byte before a field of eight.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(u8)]
enum Message {
    Number(u64),
}

fn main() {
    let _ = Message::Number(1);
}
