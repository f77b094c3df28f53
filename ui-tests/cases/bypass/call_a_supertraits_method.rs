//! The methods of a private supertrait are no methods of the public trait.

use indelible::state::{Flushed, Persisted};
use indelible::{Fence, Pm};

fn skip_the_fence<'t>(object: Pm<'t, u64, Flushed>) -> Pm<'t, u64, Persisted> {
    <Pm<'t, u64, Flushed> as Fence<'t>>::fenced_in(object)
}

fn main() {}
