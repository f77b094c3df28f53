//! A handle to an array does not become one to a slice, whose block says how long it is.

use indelible::Pm;
use indelible::state::Dirty;

fn unsize<'t>(array: Pm<'t, [u64; 4], Dirty>) -> Pm<'t, [u64], Dirty> {
    array
}

fn main() {}
