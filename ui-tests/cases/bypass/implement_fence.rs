//! `Fence` is sealed: no type of a user's can turn into a durable object.

use indelible::state::{Dirty, Persisted};
use indelible::{Fence, Pm};

struct Durable<'t>(Pm<'t, u64, Dirty>);

impl<'t> Fence<'t> for Durable<'t> {
    type Persisted = Pm<'t, u64, Persisted>;
}

fn main() {}
