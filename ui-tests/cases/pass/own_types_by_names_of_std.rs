//! Types of the program's own whose names std has too.

use indelible::{Link, Persistent, Region};

#[derive(Clone, Copy, Persistent)]
#[repr(transparent)]
struct String([u8; 8]);

#[derive(Persistent)]
#[repr(C)]
struct Vec {
    x: u64,
    y: u64,
}

mod sheet {
    #[derive(Clone, Copy, indelible::Persistent)]
    #[repr(C)]
    pub struct Cell {
        pub row: u32,
        pub column: u32,
    }
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    name: self::String,
    speed: self::Vec,
    cell: sheet::Cell,
    next: Link<self::Vec>,
}

fn main() {
    let root = Root {
        name: String(*b"eight..."),
        speed: Vec { x: 1, y: 2 },
        cell: sheet::Cell { row: 3, column: 4 },
        next: Link::null(),
    };
    let region = Region::new(1 << 20, root).unwrap();
    let root = region.root();
    assert_eq!((root.speed.x + root.speed.y, root.cell.row, root.cell.column), (3, 3, 4));
    assert_eq!(&root.name.0, b"eight...");
}
