//! A log made of bytes would lead anywhere. zerocopy's traits are on the derive's private mirror only.

use indelible::collections::Log;

use zerocopy::TryFromBytes;

fn main() {
    let _ = Log::try_read_from_bytes(&[8; 8]);
}
