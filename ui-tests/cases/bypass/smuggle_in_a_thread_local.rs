//! A handle can't be left in a thread-local, to be published by the next transaction.

use indelible::state::Persisted;
use indelible::{Link, Pm, Region};
use std::cell::RefCell;

thread_local! {
    static KEPT: RefCell<Option<Pm<'static, u64, Persisted>>> = const { RefCell::new(None) };
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Link::<u64>::null())?;
    region.transact(|tx, _| {
        let number = tx.persist(tx.alloc(1_u64)?)?;
        KEPT.with(|kept| *kept.borrow_mut() = Some(number));
        Ok(())
    })
}
