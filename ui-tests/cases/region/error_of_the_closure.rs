//! `?` converts the error of `try_transact`, so that nothing says which one its closure answers.

use indelible::{Error, Region, Word};

#[derive(Debug)]
enum Refused {
    NotEnough,
    Memory(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Memory(error)
    }
}

fn main() -> Result<(), Refused> {
    let mut cents = Region::new(1 << 20, Word::new(100_u64))?;
    let rest = cents.try_transact(|tx, cents| {
        let rest = tx.load(cents) - 70;
        tx.store(cents, rest);
        Ok(rest)
    })?;
    if rest == 0 { Err(Refused::NotEnough) } else { Ok(()) }
}
