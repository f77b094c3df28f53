//! A handle can't forget its transaction and be recognised later: `Any` is `'static`.

use indelible::{Link, Region};
use std::any::Any;

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Link::<u64>::null())?;
    let mut kept: Option<Box<dyn Any>> = None;
    region.transact(|tx, root| {
        kept = Some(Box::new(tx.take(root)));
        Ok(())
    })?;
    drop(kept);
    Ok(())
}
