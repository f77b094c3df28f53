//! `#[derive(Persistent)]` for the `indelible` crate, which re-exports it: parse, check, expand.
//!
//! The derive sees tokens only. What tokens show to be wrong is refused here, with an error at the token that says
//! what to write instead. What only types can show is left to the compiler: the expansion has bounds, a function that
//! compiles only if the fields have the types that the tokens say, and constants with the fields' names and offsets,
//! which the crate checks at compile time.

mod attr;
mod check;
mod expand;
mod generics;
mod parse;
#[cfg(test)]
mod snapshot_tests;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Persistent` for a struct with `#[repr(C)]`, or an enum with a primitive `repr` (or `repr(C)`, if a
/// variant has fields). The variants of an enum have one size: there is no padding in persistent memory.
///
/// A field's type must be as visible as the type itself (`pub` for a `pub` struct; it may be in a private module).
///
/// `#[persistent(crate = "path::to::indelible")]` says where the crate is when it isn't a direct dependency.
#[proc_macro_derive(Persistent, attributes(persistent))]
pub fn derive_persistent(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    match parse::Input::parse(&input).and_then(|parsed| check::check(&parsed).map(|()| parsed)) {
        Ok(parsed) => expand::expand(&parsed).into(),
        // The stub keeps one mistake from becoming many messages.
        Err(error) => {
            let mut out = error.into_compile_error();
            out.extend(expand::stub(&input));
            out.into()
        }
    }
}
