//! Two logs would append to one ring.

use indelible::collections::Log;

fn main() {
    let first = Log::new();
    let second: Log = first.clone();
    println!("{first:?} {second:?}");
}
