//! Nor can a reference into the region leave in an error.

use indelible::{Error, Link, Region};
use std::fmt;

#[derive(Debug)]
struct Occupied<'a>(&'a u64);

impl fmt::Display for Occupied<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is {} already", self.0)
    }
}

impl std::error::Error for Occupied<'_> {}

fn main() {
    let mut region = Region::new(1 << 20, Link::<u64>::null()).expect("memory");
    let refused = region.transact(|tx, root| match tx.get(root) {
        Some(number) => Err::<(), _>(Error::other(Occupied(number))),
        None => Ok(()),
    });
    println!("{refused:?}");
}
