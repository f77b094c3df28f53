//! A type parameter of function type, hidden in a marker.

use indelible::{Persistent, Region, Target};
use std::marker::PhantomData;

#[derive(Persistent)]
#[repr(C)]
struct Tagged<F: Target> {
    key: u64,
    tag: PhantomData<F>,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, 0_u64)?;
    region.transact(|tx, _| {
        let tagged: Tagged<for<'a> fn(&'a ())> = Tagged { key: 1, tag: PhantomData };
        tx.free(tx.alloc(tagged)?);
        Ok(())
    })
}
