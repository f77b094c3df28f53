//! The expansion: the types of the fields, the proof that these are the fields' own, the projection, and the
//! implementation with the fields' names and offsets.
//!
//! # What the expansion may rely on
//!
//! The user says where the crate is, so every path in the expansion may lead to a module of the user's. Even `u8` may
//! be an item of the user's. What must be right whatever such a path leads to is therefore said in three ways only:
//!
//! - by items of the trait that the expansion implements, whichever it is (`<F as …::Persistent>::PART`);
//! - by methods of the types that those items have, and of raw pointers, which take `self` by value, so that no trait's
//!   method comes before them;
//! - by the language itself: literals, `&raw const`, `as _`, patterns.
//!
//! Everything else that is named must have the type that the trait fixes for it, or the trait checks it (`Links`), or it
//! serves messages and names only (`check`, `Target::TARGET_ARG`): docs/design.md, 13.6.

mod data_enum;
mod parts;
mod path;
mod plain_enum;
mod projection;
mod proof;
mod structs;
mod stub;
mod variants;

pub use stub::stub;

use crate::parse::{Input, Shape};
use proc_macro2::TokenStream;

/// The implementation of `Persistent` for a type that was checked.
pub fn expand(input: &Input) -> TokenStream {
    let parts = match &input.shape {
        Shape::Struct(fields) => structs::parts(input, fields),
        Shape::PlainEnum(variants) => plain_enum::parts(input, variants),
        Shape::DataEnum(variants) => data_enum::parts(input, variants),
    };
    parts.assemble(input)
}
