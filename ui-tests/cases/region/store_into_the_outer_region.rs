//! A word changes with the transaction of its own region.

use indelible::{Link, Persistent, Region, Word};

#[derive(Persistent)]
#[repr(C)]
struct Root {
    link: Link<u64>,
    word: Word<u64>,
}

fn root() -> Root {
    Root { link: Link::null(), word: Word::new(0) }
}

fn main() -> indelible::Result<()> {
    let mut one = Region::new(1 << 20, root())?;
    let mut two = Region::new(1 << 20, root())?;
    one.transact(|_, root_one| {
        two.transact(|tx_two, _| {
            tx_two.store(&root_one.word, 1);
            Ok(())
        })
    })
}
