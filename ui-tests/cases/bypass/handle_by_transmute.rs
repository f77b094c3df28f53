//! A handle can't be made from a number by zerocopy's checked cast.

use indelible::Pm;
use indelible::state::Persisted;
use zerocopy::transmute;

fn main() {
    let handle: Pm<'static, u64, Persisted> = transmute!(8_u64);
    drop(handle);
}
