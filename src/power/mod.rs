//! Power failures, explored: every crash image of a workload that can be told apart, with real recovery on
//! each (feature `power`).
//!
//! A *crash image* is one state that memory may be found in after a power failure. [`Explorer`] runs a workload
//! once, on a [`Recorder`] that sees every store, flush and fence. Then it stops the recording at each place
//! where a crash can make a difference, and opens the region on each image that is possible there: the same
//! code that opens a file. On what recovery makes of it, it runs the program's own check.
//!
//! ```
//! use indelible::power::{Explorer, History};
//! use indelible::{Persistent, Word};
//!
//! #[derive(Persistent, Default)]
//! #[repr(C)]
//! struct Pair { a: Word<u64>, b: Word<u64> }
//!
//! let explorer = Explorer::new(
//!     Pair::default, // the root that the region is made with
//!     |region, log| {
//!         for n in 1..=3 {
//!             log.begin(n); // from here on `n` may be there
//!             region.transact(|tx, pair| {
//!                 tx.store(&pair.a, n);
//!                 tx.store(&pair.b, n);
//!                 Ok(())
//!             })?;
//!             log.acknowledge(); // from here on it must be there
//!         }
//!         Ok(())
//!     },
//!     |pair, history: &History<u64>| {
//!         assert_eq!(pair.a.get(), pair.b.get(), "one without the other");
//!         assert!(pair.a.get() >= history.acknowledged().len() as u64, "an acknowledged number is lost");
//!     },
//! );
//! let report = explorer.run().assert();
//! assert!(report.is_exhaustive());
//! println!("{report}"); // so many crash points, so many images, exhaustive
//! ```
//!
//! With two transactions in place of one, `assert` panics and says at which line the power failed, and which
//! stores were lost or survived. [`Explorer::replay`] runs that image again, [`Report::svg`] draws the events,
//! and [`Explorer::mutants`] says whether the check would notice if a flush or a fence were missing.
//!
//! # The crash model
//!
//! This is what every claim of the crate is measured against. It allows more than hardware does, and never
//! less.
//!
//! Memory consists of *units*. By default a unit is an aligned 8-byte word ([`Model`] has others). Each unit
//! has the list of the values that were stored to it, oldest first, and a *bound*: the oldest of them that
//! memory may still hold. Everything before the bound is gone for good.
//!
//! | event | a unit's values | its bound |
//! |---|---|---|
//! | the start | one, the one that is durably there | that one |
//! | store | one more | as it was: the line may leave the cache at once, late, or never |
//! | streamed store (past the cache) | one more | as it was; this thread's next fence raises it to this value, without a flush |
//! | flush of a line | as they were | as it was; the thread notes the newest value of each unit in the line |
//! | fence | as they were | raised to the values that *this thread* noted, and no further |
//! | growth | new words hold zero | zero |
//! | `fsync` at open, on a file system | as they were | raised to the newest value |
//! | power failure | those from the bound on, of which each unit has one, independently of every other | what it has, once that is decided |
//! | process kill | as they were: every store stays visible | as it was; what threads had noted is forgotten |
//!
//! So a flush without a fence promises nothing, and a fence without a flush nothing either; a store after the
//! flush is not covered by it; and a fence on one thread does not wait for another's flushes. A store that
//! nobody flushed may survive all the same. A kill loses nothing by itself, but the next process sees stores
//! that are not durable yet, may act on them, and may lose them to the next power failure.
//!
//! | model | unit | differs in |
//! |---|---|---|
//! | [`Model::Word8`] | an 8-byte word | any word may survive without its neighbours: a superset of what x86-64 and aarch64 do |
//! | [`Model::X86`] | a 64-byte line | the stores to a line survive as a prefix of their order; a line that is streamed to is split into words |
//! | [`Model::Eadr`] | an 8-byte word | the CPU caches are persistent: a store raises the bound to itself; a streamed store needs its fence |
//!
//! # Where crashes strike
//!
//! The power fails before every fence, after every [`Log::acknowledge`], and at the end. Between two of these
//! nothing becomes durable and nothing is promised, so the images there are among those of the next. Processes
//! are killed ([`Explorer::kills`]) after every store to what is published and after each new object. Then
//! recovery runs, and the power fails again inside it ([`Explorer::depth`]), or inside what the program does
//! when it goes on ([`Explorer::then`]).
//!
//! # Which images are tried
//!
//! A unit is decided when recovery is about to read it, and not before. What recovery never reads makes no
//! difference, and equal values are one case. So an object of any size that nothing reaches yet costs nothing,
//! and the images tried are those that can be told apart: `docs/explorer-size.md` has numbers.
//!
//! Once `open` has returned, the program reads through plain references, and nothing can be decided any more.
//! So the walk at open decides it all. Links, words and block headers it decides one by one. Any other unit of
//! an object that the root reaches must have one possible value only: if it has two, then the object was
//! published before it was durable, and that is a failure whatever the check says. Journal records are
//! published by a checksum. Of what may be left of a record, each whole record is tried, and of the torn ones
//! the fully lost, some with one word lost, and a few by chance; the report then says "exhaustive modulo
//! checksum collision".
//!
//! One thing is looked at while the workload runs, and not in images: just before a commit stores a record, or a word
//! that is published alone, everything that it makes reachable (new objects, and frames of logs whose checksums the
//! record holds) must be durable. Where it is not, the report says so whatever the check asserts, unless an image
//! tells a plainer story.
//!
//! [`Report::is_exhaustive`] holds if nothing was left out. When a budget is used up
//! ([`Explorer::max_images`], [`Explorer::max_time`]), the report counts what was sampled, and what was left
//! out.
//!
//! # What it does not see
//!
//! - A value that a `Dirty` object had for a while. Such an object is written through `&mut`, and the recorder
//!   compares it when its handle is given to `flush`: what was overwritten before that is not tried.
//!   Nothing reaches the object then.
//! - Anything outside of the region: other files, what was printed or sent. [`Log::acknowledge`] stands for it.
//! - Two different records with the same checksum. One in 2^64 is expected, and it is not looked for.
//! - What was left out when the budget was used up.
//! - Other workloads than this one. Give it several, or make them with `proptest`; and let
//!   [`Explorer::mutants`] say what a workload does not exercise.
//! - Mistakes that hold in every state: if the check does not look for it, it is not found.
//! - Media errors, and memory whose persistence domain is not what the kernel says.
//!
//! # Sources
//!
//! - Stores, flushes and fences of x86-64: Intel 64 and IA-32 Architectures Software Developer's Manual,
//!   volume 1, sections "Cacheability Control, Prefetch, and Memory Ordering Instructions" (chapter on SSE) and
//!   "Cacheability Control and Memory Ordering Instructions" (chapter on SSE2); volume 2, the pages of CLWB,
//!   CLFLUSHOPT, CLFLUSH, SFENCE and MOVNTI. CLWB and CLFLUSHOPT are ordered with older stores to their own
//!   line and with fences, and not with stores to or flushes of other lines.
//! - The same as a model, with a line's stores persisting in order: Raad, Wickerson, Neiger, Vafeiadis,
//!   "Persistency Semantics of the Intel-x86 Architecture", POPL 2020, doi:10.1145/3371079; for streamed stores:
//!   Raad, Maranget, Vafeiadis, "Extending Intel-x86 Consistency and Persistency", POPL 2022,
//!   doi:10.1145/3498683.
//! - aarch64: Arm Architecture Reference Manual for A-profile, `DC CVAP` (clean to the point of persistence,
//!   FEAT_DPB) and `DSB`, which waits for it; as a model: Raad, Wickerson, Vafeiadis, "Weak Persistency
//!   Semantics from the Ground Up", OOPSLA 2019, doi:10.1145/3360561.
//! - eADR: the attribute `persistence_domain` of an NVDIMM region in sysfs, with the value `cpu_cache` (Linux
//!   `drivers/nvdimm/region_devs.c`).

mod choices;
mod crash;
mod cursor;
mod event;
mod explorer;
mod exposed;
mod failure;
mod history;
mod log;
mod machine;
mod mapping_explorer;
mod moment;
mod mutants;
mod mutation;
mod path;
mod problem;
mod progress;
mod recorder;
mod recording;
mod replay;
mod report;
mod run;
mod search;
mod settings;
mod shrink;
mod size;
mod start;
mod step;
mod timeline;
mod trace;
mod unit;
mod verdict;
mod versions;

pub use event::{Event, EventKind, Phase};
pub use explorer::{Before, Explorer};
pub use failure::Failure;
pub use history::History;
pub use log::Log;
pub use machine::Model;
pub use mapping_explorer::MappingExplorer;
pub use mutants::{Mutant, Mutants};
pub use recorder::Recorder;
pub use report::Report;
pub use size::Size;
pub use trace::Trace;
pub use verdict::Verdict;

#[doc(hidden)]
pub use crate::observe::Rule;

use crate::error::Result;
use crate::mapping::Mapping;
use crate::persistent::Persistent;
use crate::region::{Region, create};

/// A region of at least `len` bytes whose events are recorded; see [`Recorder::trace`].
///
/// # Errors
///
/// [`Error::AddressSpace`](crate::Error::AddressSpace).
///
/// ```
/// use indelible::{Word, power};
///
/// let mut region = power::region(1 << 20, Word::new(0))?;
/// region.transact(|tx, count| Ok(tx.store(count, 1)))?;
/// println!("{} fences so far", region.medium().trace().fences());
/// # Ok::<(), indelible::Error>(())
/// ```
#[track_caller]
pub fn region<R: Persistent>(len: u64, root: R) -> Result<Region<R, Recorder>> {
    let (layout, text) = create::plan::<R>(1024, 1)?;
    let len = (len as usize).max(layout.min_len()).next_multiple_of(4096);
    let recorder = Recorder::zeroed(len, len * 64)?;
    let engine = create::build(&recorder, layout, &text, root, std::panic::Location::caller())?;
    Ok(Region::new_parts(recorder, engine, false))
}

/// A [`Mapping`] of `len` zeroed bytes whose events are recorded; see [`Recorder::trace`].
///
/// # Errors
///
/// [`Error::BadMappingLength`](crate::Error::BadMappingLength),
/// [`Error::AddressSpace`](crate::Error::AddressSpace).
///
/// ```
/// use indelible::power;
///
/// let mut mapping = power::mapping(4096)?;
/// let record = mapping.part(64..128)?.copy_persist(&[7; 64])?;
/// drop(record);
/// assert_eq!(mapping.medium().trace().fences(), 1);
/// # Ok::<(), indelible::Error>(())
/// ```
pub fn mapping(len: u64) -> Result<Mapping<Recorder>> {
    let len = crate::mapping::open::check_len(len)?;
    Ok(Mapping::on(Recorder::zeroed(len, len)?))
}

/// Runs `workload` on a region whose root is first what `root` makes, and `check` on every image that a crash
/// could leave.
///
/// # Panics
///
/// With the whole story, if `check` fails on an image or recovery does.
///
/// ```
/// use indelible::Word;
/// use indelible::power::{self, History};
///
/// let report = power::explore(
///     || Word::new(0),
///     |region, log| {
///         log.begin(1);
///         region.transact(|tx, count| Ok(tx.store(count, 1)))?;
///         log.acknowledge();
///         Ok(())
///     },
///     |count: &Word<u64>, history: &History<u64>| {
///         assert!(count.get() == 1 || history.acknowledged().is_empty(), "acknowledged, and lost");
///     },
/// );
/// assert!(report.is_exhaustive());
/// ```
#[track_caller]
pub fn explore<R, E, V>(
    root: impl Fn() -> R + Send + Sync + 'static,
    workload: impl Fn(&mut Region<R, Recorder>, &Log<E>) -> Result<()> + Send + Sync + 'static,
    check: impl Fn(&R, &History<E>) -> V + Send + Sync + 'static,
) -> Report
where
    R: Persistent,
    E: Clone + Send + Sync + 'static,
    V: Verdict,
{
    Explorer::new(root, workload, check).run().assert()
}
