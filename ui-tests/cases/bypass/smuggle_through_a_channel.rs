//! A handle can't be sent to where another transaction receives it.

use indelible::{Link, Region};
use std::sync::mpsc::channel;

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Link::<u64>::null())?;
    let (sender, receiver) = channel();
    region.transact(|tx, _| {
        sender.send(tx.persist(tx.alloc(1_u64)?)?).expect("open");
        Ok(())
    })?;
    region.transact(|tx, root| {
        tx.publish(root, receiver.recv().expect("sent"));
        Ok(())
    })
}
