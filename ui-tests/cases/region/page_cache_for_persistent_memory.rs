//! The function asks for persistent memory and is given a file in the page cache.
//!
//! BUGS 30 (SquirrelFS, CapybaraKV)

use indelible::medium::{MapSync, PageCache};
use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

fn needs_persistent_memory(_: &mut Region<Node, MapSync>) {}

fn main() -> indelible::Result<()> {
    // SAFETY: nothing else writes or truncates this file while the region is open.
    let mut region = unsafe { Region::<Node, PageCache>::open("nodes")? };
    needs_persistent_memory(&mut region);
    Ok(())
}
