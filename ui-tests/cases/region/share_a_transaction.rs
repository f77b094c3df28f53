//! One thread builds the objects of a transaction: `&Tx` can't be sent.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn on_another_thread<T: Send>(_: T) {}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|tx, _| {
        on_another_thread(tx);
        Ok(())
    })
}
