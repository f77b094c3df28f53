//! The region is taken for one of another type. (That the file holds another type is found at `open`.)
//!
//! BUGS 19 (redis-pmem)

use indelible::medium::PageCache;
use indelible::{Persistent, Region, Word};

#[derive(Persistent)]
#[repr(C)]
struct Users {
    count: Word<u64>,
}

#[derive(Persistent)]
#[repr(C)]
struct Orders {
    count: Word<u64>,
}

fn main() -> indelible::Result<()> {
    // SAFETY: nothing else writes or truncates this file while the region is open.
    let users = unsafe { Region::<Users, PageCache>::open("users")? };
    let orders: &Orders = users.root();
    println!("{}", orders.count.get());
    Ok(())
}
