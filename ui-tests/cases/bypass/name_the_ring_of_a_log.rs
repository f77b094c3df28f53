//! Nobody can make a ring of bytes that no open has verified, or read one's bytes: its type can't be named.

use indelible::Link;
use indelible::format::ring::Ring;

fn bytes(link: &Link<Ring>) -> Option<&[u8]> {
    link.get().map(Ring::bytes)
}

fn main() {
    println!("{:?}", bytes(&Link::null()));
}
