//! What three representative types expand to, formatted, in `derive/snapshots/` for a reviewer to read.
//!
//! A change of the derive shows there as a difference. `INDELIBLE_BLESS=1 cargo test -p indelible-derive` writes
//! the files anew.

use crate::{check, expand, parse};
use std::path::Path;
use std::{env, fs};
use syn::{DeriveInput, parse_quote};

#[track_caller]
fn compare(name: &str, input: DeriveInput) {
    let parsed = parse::Input::parse(&input).expect("it can be parsed");
    check::check(&parsed).expect("it can be persistent");
    let file = syn::parse2(expand::expand(&parsed)).expect("the expansion is a list of items");
    let expansion = prettyplease::unparse(&file);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(name);
    if env::var_os("INDELIBLE_BLESS").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        fs::write(&path, &expansion).expect("it can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expansion != expected {
        let line = expansion.lines().zip(expected.lines()).take_while(|(new, old)| new == old).count();
        panic!(
            "the expansion is not that of {} from line {} on:\n  now    {:?}\n  before {:?}\nwrite it anew with INDELIBLE_BLESS=1, and read the difference",
            path.display(),
            line + 1,
            expansion.lines().nth(line),
            expected.lines().nth(line),
        );
    }
}

#[test]
fn a_linked_struct() {
    compare(
        "linked_struct.rs",
        parse_quote! {
            #[repr(C)]
            pub struct Account {
                /// Its number.
                pub id: u64,
                pub balance: Word<i64>,
                pub next: Link<Account>,
            }
        },
    );
}

#[test]
fn a_generic_struct() {
    compare(
        "generic_struct.rs",
        parse_quote! {
            #[repr(C)]
            struct Tree<T, const N: usize>
            where
                T: Copy + Persistent<Links = No>,
            {
                items: [Word<T>; N],
                left: Link<Tree<T, N>>,
            }
        },
    );
}

#[test]
fn an_enum() {
    compare(
        "enum.rs",
        parse_quote! {
            #[repr(u64)]
            enum Shape {
                Circle { radius: u64 } = 1,
                Named(Link<str>),
            }
        },
    );
}
