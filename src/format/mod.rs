//! What is in a region file: where its parts lie, and how each is written and read back. The book's chapter "Inside"
//! (`book/src/inside.md`) is its contract.

pub(crate) mod block;
pub(crate) mod content;
pub(crate) mod frame;
mod hash;
pub(crate) mod layout;
pub(crate) mod mark;
pub(crate) mod object;
pub(crate) mod record;
pub(crate) mod ring;
pub(crate) mod schema;
