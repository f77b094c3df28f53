//! The trait that holds a verb's method can't be named.

use indelible::Pm;
use indelible::state::{Flushed, Persisted};
use indelible::tx::operands::FencedIn;

fn skip_the_fence<'t>(object: Pm<'t, u64, Flushed>) -> Pm<'t, u64, Persisted> {
    FencedIn::fenced_in(object)
}

fn main() {}
