//! A child that may be new or old, and nobody takes it.
#![deny(unused_must_use)]

use indelible::medium::Emulated;
use indelible::{Child, Link, Region, Result, Tx};

fn child<'t>(tx: &Tx<'t, Emulated>) -> Result<Child<'t, u64>> {
    Ok(tx.flush(tx.alloc(1_u64)?).into())
}

fn main() -> Result<()> {
    let mut region = Region::new(1 << 20, Link::<u64>::null())?;
    region.transact(|tx, _| {
        child(tx)?;
        Ok(())
    })
}
