//! The new head of the log is written and published, and never flushed.
//!
//! BUGS 21 (NOVA issue 91)

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Head {
    tail: u64,
    entries: Link<[u64]>,
}

#[derive(Persistent)]
#[repr(C)]
struct Log {
    head: Link<Head>,
}

fn main() -> indelible::Result<()> {
    let mut log = Region::new(1 << 20, Log { head: Link::null() })?;
    log.transact(|tx, root| {
        if let Some(head) = tx.take(&root.head) {
            let mut head = tx.rewrite(head)?;
            *head.fields().tail += 1;
            tx.publish(&root.head, head);
        }
        Ok(())
    })
}
