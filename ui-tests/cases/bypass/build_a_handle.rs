//! The fields of a handle are private.

use indelible::Pm;
use indelible::state::Persisted;
use std::marker::PhantomData;
use std::ptr::NonNull;

fn main() {
    let mut number = 1_u64;
    let _: Pm<'_, u64, Persisted> =
        Pm { object: NonNull::from(&mut number), brand: PhantomData, state: PhantomData };
}
