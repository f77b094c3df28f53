//! Containers in safe code on the public API: nothing here is `unsafe`, and nothing here is privileged.
//!
//! Each lives inline in a struct of yours, takes a few words there, and is changed through a transaction that
//! is passed to each call, so that one transaction can change several of them, and words beside them, together
//! or not at all. What an aborted transaction did to them is as if it had never been.

#![forbid(unsafe_code)]

mod btree;
mod hash;
mod node;
mod stored;

pub use btree::{BTreeMap, Iter as BTreeIter};
pub use hash::{HashMap, Iter as HashIter};
pub use stored::Stored;
