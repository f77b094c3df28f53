//! A handle of one transaction is none of a shorter time.

use indelible::Pm;
use indelible::state::Persisted;

fn shorten<'s, 'long: 's>(handle: Pm<'long, u64, Persisted>) -> Pm<'s, u64, Persisted> {
    handle
}

fn main() {}
