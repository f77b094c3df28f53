//! Another thread writes while this one flushes.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Node { key: 0, next: Link::null() })?;
    region.transact(|tx, _| {
        let mut node = tx.alloc(Node { key: 1, next: Link::null() })?;
        std::thread::scope(|scope| {
            let fields = node.fields();
            scope.spawn(move || *fields.key = 2);
            tx.free(tx.flush(node));
        });
        Ok(())
    })
}
