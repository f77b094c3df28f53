//! An attribute macro changes the order of fields of a type that is only linked to. What a file holds of it would be
//! checked in the wrong places.

use indelible::{Link, Persistent, Region};
use indelible_ui_tricks::second_first;

#[derive(Persistent)]
#[second_first]
#[repr(C)]
struct Pair<T: Persistent> {
    first: bool,
    second: u8,
    rest: [u8; 6],
    value: T,
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    pair: Link<Pair<u64>>,
}

fn main() -> indelible::Result<()> {
    let region = Region::new(1 << 20, Root { pair: Link::null() })?;
    let pair = region.root().pair.get();
    println!("{:?}", pair.map(|pair| (pair.first, pair.second, pair.rest, pair.value)));
    Ok(())
}
