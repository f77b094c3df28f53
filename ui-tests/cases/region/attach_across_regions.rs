//! A link can't lead from one region into another, by `attach` neither.

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
        two.transact(|tx_two, _| {
            let child = tx_one.flush(tx_one.alloc(1_u64)?);
            let mut parent = tx_two.alloc(root())?;
            tx_two.attach(&mut parent, |parent| &parent.link, child);
            tx_two.free(parent);
            Ok(())
        })
    })
}
