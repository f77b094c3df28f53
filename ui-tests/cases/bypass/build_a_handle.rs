//! The fields of a handle are private, so that no state can be forged.
//!
//! BUGS 30 (SquirrelFS, CapybaraKV)

use indelible::Pm;
use indelible::state::Persisted;
use std::marker::PhantomData;
use std::ptr::NonNull;

fn main() {
    let mut number = 1_u64;
    let _: Pm<'_, u64, Persisted> =
        Pm { object: NonNull::from(&mut number), brand: PhantomData, state: PhantomData };
}
