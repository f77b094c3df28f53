//! Nor can a reference into the region.

use indelible::{Error, Link, Region};

fn main() {
    let mut region = Region::new(1 << 20, Link::<str>::null()).expect("memory");
    let refused = region.transact(|tx, root| match tx.get(root) {
        Some(text) => Err::<(), _>(Error::other(text)),
        None => Ok(()),
    });
    println!("{refused:?}");
}
