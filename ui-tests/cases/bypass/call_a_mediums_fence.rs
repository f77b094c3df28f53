//! A medium's own flush and fence can't be called.

use indelible::Region;
use indelible::medium::Medium;

fn fence<M: Medium>(region: &Region<u64, M>) {
    let _ = region.medium().fence(std::panic::Location::caller());
}

fn main() {}
