//! Regions of other types than the program's, and the difference that the error shows. Types are told apart
//! by name and layout; where they stand in the source is not part of the file.

use crate::support::{Folder, assert_error, open, open_or_create, refused_to_open};
use indelible::medium::PageCache;
use indelible::{Error, Link, Persistent, Word};

/// The types that the file is made with.
mod made {
    use indelible::{Link, Persistent, Word};

    #[derive(Persistent)]
    #[repr(C)]
    pub struct Shop {
        pub orders: Link<Order>,
        pub total: Word<u32>,
        pub state: Word<State>,
    }

    #[derive(Persistent)]
    #[repr(C)]
    pub struct Order {
        pub id: u64,
        pub item: Item,
        pub next: Link<Order>,
    }

    #[derive(Persistent)]
    #[repr(C)]
    pub struct Item {
        pub price: u32,
        pub pieces: u32,
    }

    #[derive(Persistent, Clone, Copy)]
    #[repr(u8)]
    pub enum State {
        Open = 1,
        Closed = 2,
    }
}

/// Modules with other types in place of some of [`made`]'s.
macro_rules! programs {
    ($(mod $name:ident { $($changed:item)* })*) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::made::*;
            use indelible::{Link, Persistent, Word};
            $(
                #[allow(dead_code)]
                #[derive(Persistent)]
                #[repr(C)]
                $changed
            )*
        }
    )*};
}

programs! {
    mod field_renamed {
        pub struct Shop { orders: Link<Order>, sum: Word<u32>, state: Word<State> }
    }
    mod type_changed {
        pub struct Shop { orders: Link<Order>, total: Word<u64>, state: Word<State> }
    }
    mod field_added {
        pub struct Shop { orders: Link<Order>, total: Word<u32>, state: Word<State>, name: Link<str> }
    }
    mod field_removed {
        pub struct Shop { orders: Link<Order>, total: Word<u32> }
    }
    mod fields_reordered {
        pub struct Shop { total: Word<u32>, orders: Link<Order>, state: Word<State> }
    }
    mod linked_type_changed {
        pub struct Shop { orders: Link<Order>, total: Word<u32>, state: Word<State> }
        pub struct Order { id: u64, item: Item, next: Link<Order> }
        pub struct Item { price: u64, pieces: u64 }
    }
    mod linked_type_renamed {
        pub struct Shop { orders: Link<Purchase>, total: Word<u32>, state: Word<State> }
        pub struct Purchase { id: u64, item: Item, next: Link<Purchase> }
    }
    mod target_changed {
        pub struct Shop { orders: Link<[Order]>, total: Word<u32>, state: Word<State> }
    }
    mod same_types {
        pub struct Shop { orders: Link<Order>, total: Word<u32>, state: Word<State> }
    }
}

mod variant_renumbered {
    use indelible::{Link, Persistent, Word};

    #[derive(Persistent)]
    #[repr(C)]
    pub struct Shop {
        orders: Link<super::made::Order>,
        total: Word<u32>,
        state: Word<State>,
    }

    #[allow(dead_code)]
    #[derive(Persistent, Clone, Copy)]
    #[repr(u8)]
    pub enum State {
        Open = 1,
        Closed = 3,
    }
}

/// A file that was made with [`made::Shop`].
fn shop(folder: &Folder) -> std::path::PathBuf {
    let path = folder.join("x");
    let root =
        || made::Shop { orders: Link::null(), total: Word::new(0), state: Word::new(made::State::Open) };
    drop(open_or_create::<made::Shop, PageCache>(&path, root).expect("a new region"));
    path
}

#[track_caller]
fn refused<R: Persistent>(case: &str, expected: &[&str]) {
    let folder = Folder::new();
    let path = shop(&folder);
    let advice =
        "open it with the types it was made with, or turn it into a region of these with `Region::migrate`";
    match refused_to_open::<R>(&folder, case, advice, &path) {
        Error::SchemaMismatch { difference, .. } => {
            assert_eq!(difference.lines().collect::<Vec<_>>(), expected, "{case}");
        }
        other => panic!("{case}: {other:?}"),
    }
    assert!(open::<same_types::Shop, PageCache>(&path).is_ok(), "it opens with the types it was made with");
}

#[test]
fn a_change_of_the_root_is_shown_field_by_field() {
    refused::<field_renamed::Shop>(
        "schema: a field renamed",
        &["  type struct Shop:", "-   total at 8: Word<u32>", "+   sum at 8: Word<u32>"],
    );
    refused::<type_changed::Shop>(
        "schema: a field's type changed",
        &["  type struct Shop:", "-   total at 8: Word<u32>", "+   total at 8: Word<u64>"],
    );
    refused::<field_added::Shop>(
        "schema: a field added",
        &[
            "  type struct Shop:",
            "-   24 bytes, aligned to 8",
            "+   32 bytes, aligned to 8",
            "+   name at 24: Link<str>",
        ],
    );
    refused::<field_removed::Shop>(
        "schema: a field removed",
        &[
            "  type struct Shop:",
            "-   24 bytes, aligned to 8",
            "-   state at 16: Word<State>",
            "+   16 bytes, aligned to 8",
            "- type enum State",
        ],
    );
    refused::<fields_reordered::Shop>(
        "schema: fields in another order",
        &[
            "  type struct Shop:",
            "-   orders at 0: Link<Order>",
            "-   total at 8: Word<u32>",
            "+   total at 0: Word<u32>",
            "+   orders at 8: Link<Order>",
        ],
    );
    refused::<target_changed::Shop>(
        "schema: a link's target changed",
        &["  type struct Shop:", "-   orders at 0: Link<Order>", "+   orders at 0: Link<[Order]>"],
    );
}

#[test]
fn a_change_of_what_the_root_leads_to_is_shown_too() {
    refused::<linked_type_changed::Shop>(
        "schema: a type inside a linked type changed",
        &[
            "  type struct Order:",
            "-   24 bytes, aligned to 8",
            "-   next at 16: Link<Order>",
            "+   32 bytes, aligned to 8",
            "+   next at 24: Link<Order>",
            "  type struct Item:",
            "-   8 bytes, aligned to 4",
            "-   price at 0: u32",
            "-   pieces at 4: u32",
            "+   16 bytes, aligned to 8",
            "+   price at 0: u64",
            "+   pieces at 8: u64",
        ],
    );
    refused::<linked_type_renamed::Shop>(
        "schema: a linked type renamed",
        &[
            "  type struct Shop:",
            "-   orders at 0: Link<Order>",
            "+   orders at 0: Link<Purchase>",
            "- type struct Order",
            "+ type struct Purchase",
        ],
    );
    refused::<variant_renumbered::Shop>(
        "schema: a variant's number changed",
        &["  type enum State:", "-   Closed = 2", "+   Closed = 3"],
    );
}

mod machine {
    pub mod inner {
        #[derive(indelible::Persistent)]
        #[repr(C)]
        pub struct Part {
            pub weight: u64,
        }
    }
    #[derive(indelible::Persistent)]
    #[repr(C)]
    pub struct Part {
        pub price: u64,
    }
    #[derive(indelible::Persistent)]
    #[repr(C)]
    pub struct Machine {
        pub first: Part,
        pub second: inner::Part,
    }
}
mod changed_machine {
    pub mod inner {
        #[derive(indelible::Persistent)]
        #[repr(C)]
        pub struct Part {
            pub mass: u64,
        }
    }
    #[derive(indelible::Persistent)]
    #[repr(C)]
    pub struct Machine {
        pub first: super::machine::Part,
        pub second: inner::Part,
    }
}

/// Two types of one name, of which only the second changed.
#[test]
fn types_of_one_name_are_told_apart() {
    let folder = Folder::new();
    let path = folder.join("x");
    let root =
        || machine::Machine { first: machine::Part { price: 1 }, second: machine::inner::Part { weight: 2 } };
    drop(open_or_create::<machine::Machine, PageCache>(&path, root).expect("a new region"));
    let (case, advice) =
        ("schema: the second of two types of one name changed", "the types it was made with");
    let error = refused_to_open::<changed_machine::Machine>(&folder, case, advice, &path);
    let Error::SchemaMismatch { difference, .. } = error else { panic!("{error:?}") };
    assert_eq!(difference, "  type struct Part:\n-   weight at 0: u64\n+   mass at 0: u64\n");
}

#[test]
fn another_root_type_is_shown_by_its_name() {
    let folder = Folder::new();
    let path = shop(&folder);
    let error =
        refused_to_open::<u64>(&folder, "schema: another root type", "the types it was made with", &path);
    assert_error!(error, Error::SchemaMismatch { difference, .. } if difference.starts_with("- type struct Shop\n"));
}
