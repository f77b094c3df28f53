//! Nor of a longer one, not even behind a reference.

use indelible::Pm;
use indelible::state::Persisted;

fn lengthen<'a, 't>(handle: &'a Pm<'t, u64, Persisted>) -> &'a Pm<'static, u64, Persisted> {
    handle
}

fn main() {}
