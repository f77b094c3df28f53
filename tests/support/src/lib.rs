//! What several of the integration tests need, once: `tests/README.md` says which test asks what.
//!
//! Nothing here is a test, and nothing here is published.

#![allow(missing_docs, reason = "for tests of this workspace only")]

pub mod bank;
pub mod chance;
pub mod costs;
pub mod example;
pub mod folder;
pub mod image;
pub mod long;
pub mod nodes;
pub mod panics;
pub mod process;
pub mod total;
