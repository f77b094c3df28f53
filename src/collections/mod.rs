//! Containers in safe code: nothing here is `unsafe`. The maps stand on the public API alone; [`Log`] has an engine
//! of its own below it, because its records are published by a checksum and not by a word.
//!
//! Each lives inline in a struct of yours, takes a few words there, and is changed through a transaction that
//! is passed to each call, so that one transaction can change several of them, and words beside them, together
//! or not at all. What an aborted transaction did to them is as if it had never been.
//!
//! | | for | an insert costs |
//! |---|---|---|
//! | [`Log`] | records of bytes in order: write-ahead and Raft logs | 1 fence, also in a transaction that changes other things |
//! | [`BTreeMap`] | look-ups and ranges in the order of keys, first and last, bulk building | 1 fence, 1 published word; 2 fences where what it copies has more than 2 KiB |
//! | [`HashMap`] | look-ups of single keys, many of them: fewer cache lines to read than a tree has levels | the same; 2 or 3 words where it grows |
//!
//! The maps are copy-on-write: a change copies the one node it is in (about a kilobyte), which is flushed, and
//! publishes the copy into the one link that led to the old. What several changes in one transaction have in
//! common they pay for once: the fences, above all. Each changes at least one word, though, and
//! [`Options::journal_words`](crate::Options::journal_words) (1,024 by default) bounds the words of a transaction;
//! nor is memory that it frees used again before its end. So load many entries in batches of some hundreds, or by
//! [`BTreeMap::rebuild`], which publishes one word for any number.
//!
//! # What differs from std's
//!
//! | there | here | because |
//! |---|---|---|
//! | `map.get(&key)` | `map.get(read, &key)` | `read` says which state: a transaction's own, or [`Committed`](crate::Committed) |
//! | `map.insert(key, value)` | `map.insert(tx, &key, &value)?` | what is stored is copied into the region, and the region may be full |
//! | the old value, moved out | a reference, until the transaction ends | a value with a link inside can't be moved; copy it if you need it longer |
//! | `map.entry(key).or_insert(0) += 1` | `map.update(tx, &key, \|old\| old.map_or(1, \|n\| n + 1))?` | what is published is never changed in place |
//! | `get_mut`, `iter_mut`, `values_mut` | `update` | the same |
//! | `len()`, at once | `len(read)`, which counts | it would be one more published word for each insert; keep a [`Word`](crate::Word) beside the map if you need it |
//! | `from_iter`, `collect` | [`BTreeMap::rebuild`], `insert` in batches | a transaction is needed |
//! | `K: Hash + Eq` | `K: zerocopy::IntoBytes` | std doesn't promise what `Hash` feeds to a hasher in the next version; bytes stay what they are |
//! | `drain`, `retain`, `append`, `split_off` | collect the keys, then `remove` | not made yet |
//!
//! # In a damaged file
//!
//! Opening checks each object of a map by itself: its header, how many keys it says it has, its links, and its text. It
//! refuses a file in which one is wrong, as [`Error::Damaged`](crate::Error::Damaged). It does not look at what would
//! take a search of the map, or that no checksum covers: that keys are in order or hash to where they are, that all
//! leaves have one depth, that nothing is there twice, and keys and values themselves. Where that is wrong, reads
//! return what they find, and end; `insert`, `update` and `remove` do the same, or return `Error::Damaged` for the place
//! *a map*: let the transaction abort then. Nothing panics, and `clear` makes a good map of any.
//!
//! What a map can hold is said at [`Stored`]. What is not `Copy` or has a link inside can't be held itself: hold a
//! key to it.

#![forbid(unsafe_code)]
#![expect(
    clippy::type_complexity,
    reason = "what lies in a node is an associated type, and so every node's type is long"
)]

mod btree;
mod hash;
mod log;
mod node;
mod stored;
mod tags;

pub use btree::{BTreeMap, Iter as BTreeIter};
pub use hash::{HashMap, Iter as HashIter};
pub use log::{Log, Records};
pub use stored::Stored;
