//! What was taken belongs to a transaction, which stays on its thread.

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
    region.transact(|tx, root| {
        if let Some(taken) = tx.take(&root.next) {
            on_another_thread(taken);
        }
        Ok(())
    })
}
