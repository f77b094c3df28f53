//! A region can be shared and sent; so can what is `Persisted`, but not what is only flushed.

use indelible::{Link, Region, state::Persisted};
use std::sync::RwLock;
use std::thread;

fn sendable<T: Send>(_: &T) {}

fn main() -> indelible::Result<()> {
    let region = RwLock::new(Region::new(1 << 20, Link::<u64>::null())?);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut region = region.write().expect("no panic before");
            region.transact(|tx, root| {
                let number: indelible::Pm<u64, Persisted> = tx.persist(tx.alloc(5_u64)?)?;
                sendable(&number);
                tx.publish(root, number);
                Ok(())
            })
        });
    });
    let region = region.read().expect("no panic before");
    assert_eq!(region.root().get(), Some(&5));
    Ok(())
}
