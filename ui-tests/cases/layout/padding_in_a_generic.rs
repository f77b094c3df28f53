//! With a parameter the layout is known where the type is used.

use indelible::{Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Entry<T> {
    tag: u8,
    value: T,
}

fn main() -> indelible::Result<()> {
    let region = Region::new(1 << 20, Entry { tag: 1, value: 2_u32 })?;
    println!("{}", region.root().value);
    Ok(())
}
