//! `fields` gives `&` to a field with links, so that a link can't be overwritten.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Pair {
    left: Link<u64>,
    right: Link<u64>,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, 0_u64)?;
    region.transact(|tx, _| {
        let mut pair = tx.alloc(Pair { left: Link::null(), right: Link::null() })?;
        let fields = pair.fields();
        *fields.left = Link::null();
        tx.free(pair);
        Ok(())
    })
}
