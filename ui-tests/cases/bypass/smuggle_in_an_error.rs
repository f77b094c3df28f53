//! A handle can't leave in the closure's own error.

use indelible::state::Dirty;
use indelible::{Error, Link, Pm, Region};

enum Failed<'t> {
    Region(Error),
    Full(Pm<'t, u64, Dirty>),
}

impl From<Error> for Failed<'_> {
    fn from(error: Error) -> Self {
        Failed::Region(error)
    }
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Link::<u64>::null())?;
    let result: Result<(), Failed<'_>> = region.try_transact(|tx, _| {
        let number = tx.alloc(1_u64)?;
        Err(Failed::Full(number))
    });
    match result {
        Err(Failed::Full(number)) => println!("{}", *number),
        Err(Failed::Region(error)) => return Err(error),
        Ok(()) => {}
    }
    Ok(())
}
