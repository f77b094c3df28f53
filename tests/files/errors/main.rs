//! Every bad input gets its own typed error, whose text says what to do next, and leaves everything as it
//! was: the file's bytes, size and mode, the folder's listing, the open files, the mappings and the locks.
//!
//! The texts stand together in `tests/files/errors/errors.txt`; `INDELIBLE_BLESS=1 cargo test --test errors`
//! writes them anew. Cases that this machine can't run (no right to mount, not root, …) say so on standard
//! error, also when the test passes.

mod access;
mod child;
mod contents;
mod journal;
mod lock;
mod mapping;
mod media;
mod migrate;
mod paths;
mod schema;
mod settings;
mod snapshot;
mod space;
mod state;
mod support;
mod transactions;
