//! A variant that does not fill the enum.

use indelible::Persistent;

#[derive(Persistent)]
#[repr(u8)]
enum Message {
    Text([u8; 15]),
    Number([u8; 4]),
}

fn main() {
    let _ = [Message::Text([0; 15]), Message::Number([0; 4])];
}
