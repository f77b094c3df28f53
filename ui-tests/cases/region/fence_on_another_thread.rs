//! A fence waits for the flushes of its own CPU, so a flushed handle stays on its thread.

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
        let node = tx.alloc(Node { key: 1, next: Link::null() })?;
        let node = tx.flush(node);
        on_another_thread(node);
        Ok(())
    })
}
