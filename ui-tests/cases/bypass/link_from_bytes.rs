//! A `Link` can't be made from bytes.

use indelible::Link;

use zerocopy::TryFromBytes;

fn main() {
    let _ = Link::<u64>::try_read_from_bytes(&[0; 8]);
}
