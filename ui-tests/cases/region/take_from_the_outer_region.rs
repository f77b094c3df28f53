//! The inner transaction can't unlink what belongs to the outer one.

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
            tx_two.free(tx_two.take(&root_one.link));
            Ok(())
        })
    })
}
