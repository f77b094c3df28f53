//! A tuple or a `Child` hides no flushed handle: its fence must be made on its own thread.

use indelible::{Child, Link, Persistent, Region};

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
        let parent = tx.alloc(Node { key: 1, next: Link::null() })?;
        let child = Child::from(tx.flush(tx.alloc(Node { key: 1, next: Link::null() })?));
        on_another_thread((parent, child));
        Ok(())
    })
}
