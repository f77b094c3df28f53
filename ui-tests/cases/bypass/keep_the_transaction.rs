//! The transaction itself does not leave its closure.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    let mut kept = None;
    region.transact(|tx, _| {
        kept = Some(tx);
        Ok(())
    })?;
    drop(kept);
    Ok(())
}
