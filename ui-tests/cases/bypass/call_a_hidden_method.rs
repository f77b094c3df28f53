//! The methods of a sealed trait can't be called, not even through a bound.

use indelible::state::{Dirty, Flushed};
use indelible::{Fence, Pm};

fn skip_the_fence<'t, X: Fence<'t>>(object: X) {
    let _ = object.fenced_in();
}

fn skip_the_flush<'t>(object: Pm<'t, u64, Dirty>) -> Pm<'t, u64, Flushed> {
    object.into_flushed()
}

fn main() {}
