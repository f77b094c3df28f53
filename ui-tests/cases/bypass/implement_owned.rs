//! `Owned` is sealed: nothing but an owner can be freed.

use indelible::{Owned, Taken};

struct Again<'t>(&'t Taken<'t, u64>);

impl<'t> Owned<'t> for Again<'t> {}

fn main() {}
