//! A type with a parameter that is only linked to, and never made in this program: a file may hold one.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Entry<T> {
    tag: u8,
    value: T,
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    entry: Link<Entry<u32>>,
}

fn main() -> indelible::Result<()> {
    let region = Region::new(1 << 20, Root { entry: Link::null() })?;
    println!("{:?}", region.root().entry.get().map(|entry| (entry.tag, entry.value)));
    Ok(())
}
