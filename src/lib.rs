//! Crash-safe persistent memory, with the order of flush, fence and publish checked by the compiler.
//!
//! # The story
//!
//! Stores to persistent memory go through the CPU caches. What is in a cache when the power fails is lost, and
//! lines leave it in any order. So a program that builds an object and makes it reachable has to *flush* the
//! object's lines, *fence*, and only then *publish* it with one 8-byte store, which is flushed and fenced too.
//! By hand, on x86-64:
//!
//! ```
//! # #[cfg(target_arch = "x86_64")]
//! # mod by_hand {
//! # use std::arch::asm;
//! # struct Account;
//! unsafe fn publish(account: *const Account, slot: *mut u64, offset: u64) {
//!     unsafe {
//!         asm!("clwb [{}]", in(reg) account); // flush: starts the write-back of one line
//!         asm!("sfence");                     // fence: waits for it
//!         slot.write_volatile(offset);        // publish
//!         asm!("clwb [{}]", in(reg) slot);
//!         asm!("sfence");
//!     }
//! }
//! # }
//! ```
//!
//! Swap two of these lines, leave one out, or flush one line of an object that has two: it compiles, works, and
//! passes its tests. It loses data when the power fails. The same with this crate:
//!
//! ```
//! use indelible::{Link, Persistent, Region, Word};
//!
//! #[derive(Persistent)]
//! #[repr(C)]
//! struct Account { id: u64, balance: Word<i64>, next: Link<Account> }
//!
//! #[derive(Persistent)]
//! #[repr(C)]
//! struct Bank { accounts: Link<Account> }
//!
//! let mut bank = Region::new(1 << 20, Bank { accounts: Link::null() })?;
//! bank.transact(|tx, root| {
//!     let account = tx.alloc(Account { id: 7, balance: Word::new(100), next: Link::null() })?;
//!     let account = tx.flush(account);     // takes Pm<Account, Dirty>, gives Pm<Account, Flushed>
//!     let account = tx.fence(account)?;    // gives Pm<Account, Persisted>
//!     tx.publish(&root.accounts, account); // takes Persisted, and nothing else
//!     Ok(())
//! })?; // the link is stored, flushed and fenced
//!
//! assert_eq!(bank.root().accounts.get().map(|account| account.id), Some(7));
//! # Ok::<(), indelible::Error>(())
//! ```
//!
//! `Region::new` makes a region in plain memory, for tests. One in a file is made and opened with
//! [`Region::create`] and [`Region::open`], on a [medium] that says what the file lives on.
//!
//! # What it does, and what it doesn't
//!
//! **What is published is immutable, except 8-byte words, and all words that one transaction changes, change
//! together or not at all.** The words are links ([`Link`]) and small values ([`Word`]). New objects are written
//! straight into place and published with a word, so only words go through a journal.
//!
//! [`Region::open`] checks everything that the root reaches, once: links, headers, and every value's bits. After
//! that a dereference is a load and an add. What is damaged, or was written by other types, is a typed
//! [`Error`].
//!
//! It has no shared ownership and no cycles, one writer at a time, and one thread to a transaction. It doesn't
//! know what values mean. It can't keep a program out that ignores the file lock, and so `open` is `unsafe`. It
//! believes the kernel about the memory's persistence domain.
//!
//! # Rejected by the compiler
//!
//! | mistake | what stops it |
//! |---|---|
//! | publish [`Dirty`](state::Dirty) or [`Flushed`](state::Flushed) data | [`Publish`] is implemented for `Persisted` handles and for what was published before |
//! | fence what was never flushed; attach a `Dirty` child | [`Fence`] and [`Attach`] are implemented for the right states only |
//! | write to an object after it was flushed, persisted or published | only a `Dirty` handle gives `&mut`, and every verb moves the handle |
//! | publish one object in two places; use it after publishing | handles are not `Clone`, and `publish` consumes |
//! | publish into another region; keep a handle past its transaction | the lifetime `'t` of [`Tx`] and [`Pm`] belongs to one call of `transact` |
//! | flush on one thread and fence on another | [`Tx`] and flushed handles are not `Send` |
//! | read an object while it is being freed | [`Region::transact`] takes `&mut Region`; frees take effect after the commit |
//! | move a [`Link`], which counts from its own place | a handle derefs mutably only where [`Target::Links`] is [`No`] |
//! | put a pointer, `Box`, `usize`, `Cell`, `Mutex`, atomic or padding into persistent memory; a type with drop glue, without `repr(C)`, packed, or a union | they are not [`Persistent`], and the derive checks the rest |
//! | take a page-cache mapping for persistent memory | `Region<_, MapSync>` and `Region<_, PageCache>` are different types |
//! | forget that something is not durable yet | every handle, and what `take` answers, is `#[must_use]` |
//!
//! # Rejected at run time
//!
//! | mistake | answer |
//! |---|---|
//! | a slot outside this region, or outside the parent it is attached to | panic, the transaction is aborted |
//! | `publish` or `attach` onto an occupied slot | panic: take its object first, or use [`Tx::replace`] |
//! | a handle that was neither published, attached nor freed | [`Error::Orphaned`], nothing was changed |
//! | a flush that no fence followed when the commit begins | the commit fences first |
//! | a broken rule whose panic the closure caught | [`Error::Aborted`], nothing was changed |
//!
//! # Where everything is
//!
//! | | |
//! |---|---|
//! | [`Region`], [`Options`] | create, open, migrate, run transactions, read the root |
//! | [`Tx`] | the verbs: `alloc`, `flush`, `fence`, `attach`, `publish`, `take`, `store`, `free`, … |
//! | [`Pm`], [`Taken`], [`Child`], [`state`] | handles and their states |
//! | [`Link`], [`Word`] | the two kinds of word that a transaction can change |
//! | [`Read`], [`Committed`] | code that reads inside and outside of transactions |
//! | [`Persistent`], [`Target`] | what may be stored, and what a link may lead to |
//! | [`mapping`] | the raw layer: the same states for bytes of a format of your own |
//! | [`medium`] | `MapSync`, `PageCache`, `Auto`, `Emulated`, `Snapshot`; [`Health`](medium::Health), what the kernel knows of the memory |
//! | [`collections`] | containers in safe code on all of this: [`Log`](collections::Log), maps |
//! | [`Error`] | everything that can go wrong, and what to do about it |
//! | `power` (feature `power`) | the power-failure explorer: tries recovery on every image that a crash could leave |

#![deny(unsafe_code)]

#[cfg(not(all(target_os = "linux", target_pointer_width = "64", target_endian = "little")))]
compile_error!("indelible runs on 64-bit little-endian Linux only: it needs MAP_SYNC and 8-byte words");
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("indelible knows the persistence instructions of x86-64 and aarch64 only");

extern crate self as indelible;

pub mod collections;
mod error;
mod flush;
mod format;
mod heap;
mod link;
pub mod mapping;
pub mod medium;
mod observe;
mod options;
mod persistent;
mod pm;
#[cfg(feature = "power")]
pub mod power;
mod region;
pub mod state;
mod tx;
mod word;

pub use error::{Error, Result};
/// ```
/// use indelible::{Link, Persistent, Region, Word};
///
/// #[derive(Clone, Copy, Persistent)]
/// #[repr(u32)]
/// enum Shape { Circle { radius: u32 }, Square(u32) } // variants of one size
///
/// #[derive(Persistent)]
/// #[repr(C)]
/// struct Drawing<T: Persistent> { shape: Shape, tag: T, next: Link<Drawing<T>>, seen: Word<bool> }
///
/// let first = Drawing { shape: Shape::Square(3), tag: 7_u64, next: Link::null(), seen: Word::new(false) };
/// let region = Region::new(1 << 20, first)?;
/// assert!(matches!(region.root().shape, Shape::Square(3)));
/// # let _ = Shape::Circle { radius: 1 };
/// # Ok::<(), indelible::Error>(())
/// ```
pub use indelible_derive::Persistent;
pub use link::Link;
pub use options::Options;
pub use persistent::{Flag, No, Persistent, Target, Yes};
pub use pm::{Child, Pm, Taken};
pub use region::{Region, Usage};
pub use tx::{Attach, Committed, Fence, Flush, Owned, Publish, Read, Stage, Tx};
pub use word::Word;

/// What the derive's expansion names: types of the trait's constants, and where a message is shown. Nothing in it is
/// relied on. Not part of the API.
#[doc(hidden)]
pub mod __private {
    pub use crate::persistent::{Arg, Field, Variant, check};
}

/// The programs in the README and the book: compiled, and run.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../book/src/first-durable-struct.md")]
    mod first_durable_struct {}
    #[doc = include_str!("../book/src/three-states.md")]
    mod three_states {}
    #[doc = include_str!("../book/src/transactions.md")]
    mod transactions {}
    #[doc = include_str!("../book/src/building-things.md")]
    mod building_things {}
    #[doc = include_str!("../book/src/coming-from.md")]
    mod coming_from {}
    #[doc = include_str!("../book/src/compiler-errors.md")]
    mod compiler_errors {}
}
