//! The state is no field that could be exchanged.

use indelible::Pm;
use indelible::state::{Dirty, Persisted};
use std::marker::PhantomData;

fn promote<'t>(object: Pm<'t, u64, Dirty>) -> Pm<'t, u64, Persisted> {
    Pm { state: PhantomData, ..object }
}

fn main() {}
