//! The write would not be part of what was flushed.

use indelible::{Link, Persistent, Region};

#[derive(Persistent)]
#[repr(C)]
struct Point {
    x: u32,
    y: u32,
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    point: Link<Point>,
}

fn main() -> indelible::Result<()> {
    let mut region = Region::new(1 << 20, Root { point: Link::null() })?;
    region.transact(|tx, root| {
        let point = tx.alloc(Point { x: 1, y: 2 })?;
        let point = tx.flush(point);
        point.x = 3;
        let point = tx.fence(point)?;
        tx.publish(&root.point, point);
        Ok(())
    })
}
