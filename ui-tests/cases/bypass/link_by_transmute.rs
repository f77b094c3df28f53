//! A link can't be made from a number by zerocopy's checked cast.

use indelible::Link;
use zerocopy::transmute;

fn main() {
    let link: Link<u64> = transmute!(8_u64);
    drop(link);
}
