//! The outer transaction can't unlink what belongs to the inner one.

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
    one.transact(|tx_one, _| {
        two.transact(|_, root_two| {
            tx_one.free(tx_one.take(&root_two.link));
            Ok(())
        })
    })
}
