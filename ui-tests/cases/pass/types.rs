//! What may lie in persistent memory.

use indelible::{Link, No, Persistent, Region, Word};
use std::num::NonZeroU32;

#[derive(Persistent, Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
enum Colour {
    Red = 1,
    Green = 7,
}

#[derive(Persistent)]
#[repr(transparent)]
struct Name([u8; 8]);

#[derive(Persistent)]
#[repr(C)]
struct Empty {}

/// The derive has something of this name too.
#[derive(Persistent)]
#[repr(C)]
struct Fields {
    number: Option<NonZeroU32>,
    colours: [Colour; 20],
}

#[derive(Persistent)]
#[repr(C)]
struct Tree<T, const N: usize>
where
    T: Copy + Persistent<Links = No>,
{
    items: [Word<T>; N],
    left: Link<Tree<T, N>>,
    right: Link<Tree<T, N>>,
}

#[derive(Persistent)]
#[repr(C)]
struct All {
    bits: u128,
    tree: Tree<Colour, 3>,
    text: Link<str>,
    numbers: Link<[f64]>,
    links: Link<[Link<u64>]>,
    name: Name,
    fields: Fields,
    nothing: Empty,
}

fn main() -> indelible::Result<()> {
    let tree = Tree { items: [Colour::Red; 3].map(Word::new), left: Link::null(), right: Link::null() };
    let region = Region::new(
        1 << 20,
        All {
            bits: 1,
            tree,
            text: Link::null(),
            numbers: Link::null(),
            links: Link::null(),
            name: Name(*b"somebody"),
            fields: Fields { number: NonZeroU32::new(3), colours: [Colour::Green; 20] },
            nothing: Empty {},
        },
    )?;
    assert_eq!(region.root().tree.items[2].get(), Colour::Red);
    Ok(())
}
