//! A `Persisted` object is as it will be found after a power failure, and stays so.

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
        let point = tx.persist(point)?;
        point.x = 3;
        tx.publish(&root.point, point);
        Ok(())
    })
}
