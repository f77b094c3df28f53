//! The parent may go to another thread, and its flushed child may not: its fence must be made on its own thread.

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
        let parent = tx.alloc(Node { key: 1, next: Link::null() })?;
        let child = tx.flush(tx.alloc(Node { key: 1, next: Link::null() })?);
        on_another_thread((parent, child));
        Ok(())
    })
}
