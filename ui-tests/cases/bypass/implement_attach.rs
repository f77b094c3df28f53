//! `Attach` is sealed: no type of a user's can pass for a flushed child.

use indelible::state::Dirty;
use indelible::{Attach, Pm};

struct Clean<'t>(Pm<'t, u64, Dirty>);

impl<'t> Attach<'t, u64> for Clean<'t> {}

fn main() {}
