//! `Flush` is sealed: no type of a user's can leave the flush out.

use indelible::state::{Dirty, Flushed};
use indelible::{Flush, Pm};

struct Clean<'t>(Pm<'t, u64, Dirty>);

impl<'t> Flush<'t> for Clean<'t> {
    type Flushed = Pm<'t, u64, Flushed>;
}

fn main() {}
