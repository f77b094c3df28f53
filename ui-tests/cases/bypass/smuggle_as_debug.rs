//! Nor as a trait object of another kind.

use indelible::{Link, Region};
use std::fmt::Debug;

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Link::<u64>::null())?;
    let mut kept: Vec<Box<dyn Debug>> = Vec::new();
    region.transact(|tx, root| {
        kept.push(Box::new(tx.take(root)));
        Ok(())
    })?;
    println!("{kept:?}");
    Ok(())
}
