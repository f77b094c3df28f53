//! `Publish` is sealed: no type of a user's can pass for a durable object.

use indelible::state::Dirty;
use indelible::{Pm, Publish};

struct Durable<'t>(Pm<'t, u64, Dirty>);

impl<'t> Publish<'t, u64> for Durable<'t> {}

fn main() {}
