//! Media: what a region lives on, and so how flush and fence are done there.
//!
//! | medium | mapping | flush | fence | survives power loss |
//! |---|---|---|---|---|
//! | [`MapSync`] | `MAP_SHARED_VALIDATE \| MAP_SYNC` of a DAX file, or a device-DAX device | the CPU's best instruction; nothing on eADR | `sfence`, `dsb` | yes |
//! | [`PageCache`] | `MAP_SHARED` of a file on a disk file system | note the range | `msync(MS_SYNC)` | yes, slowly |
//! | [`Emulated`] | anonymous memory | as `MapSync` | as `MapSync` | no |
//! | [`Auto`] | `MapSync` where it is granted, else `PageCache` | as chosen | as chosen | yes |
//! | [`Snapshot`] | `MAP_PRIVATE` of a file, for reading only: nothing ever reaches the file | none | none | – |
//!
//! Which one a region is on is said in its type, where it is opened. A program that runs on any names it there
//! only:
//!
//! ```
//! use indelible::medium::{FileMedium, PageCache, Writable};
//! use indelible::{Persistent, Region, Result, Word};
//!
//! #[derive(Persistent)]
//! #[repr(C)]
//! struct Counter { hits: Word<u64> }
//!
//! fn hit<M: FileMedium + Writable>(region: &mut Region<Counter, M>) -> Result<u64> {
//!     region.transact(|tx, counter| {
//!         let hits = tx.load(&counter.hits) + 1;
//!         tx.store(&counter.hits, hits);
//!         Ok(hits)
//!     })
//! }
//!
//! # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
//! # let path = folder.path().join("counter.pm");
//! // SAFETY: nothing else writes or truncates this file while the region is open.
//! let mut region: Region<_, PageCache> = unsafe { Region::create(&path, 1 << 20, Counter { hits: Word::new(0) })? };
//! assert_eq!(hit(&mut region)?, 1);
//! # Ok::<(), indelible::Error>(())
//! ```
//!
//! A medium knows nothing of regions: it has memory, and stores, flushes and fences in it. Its methods are
//! hidden, so that nobody but the engine can call them.

mod auto;
pub(crate) mod calls;
mod emulated;
mod entry;
mod extents;
mod file;
mod file_options;
mod folder;
mod gaps;
mod health;
mod map;
mod map_sync;
mod page_cache;
mod snapshot;
mod sysfs;
mod unnamed;

pub use crate::flush::Instruction;
pub use auto::Auto;
pub use emulated::Emulated;
pub(crate) use entry::Entry;
pub(crate) use file::{Access, OpenFile, is_device, same_file};
pub(crate) use file_options::FileOptions;
pub use health::Health;
pub(crate) use map::Map;
pub use map_sync::MapSync;
pub use page_cache::PageCache;
pub use snapshot::Snapshot;
pub(crate) use sysfs::Shutdowns;
pub(crate) use unnamed::{Kept, Unnamed, sweep};

use crate::error::{Error, Result};
use crate::flush::Route;
use crate::format::block::{Extent, HEADER};
use crate::format::object;
use crate::tx::journal::Rule;
use std::panic::Location;
use std::path::Path;

/// Where in the program an event comes from.
pub(crate) type Origin = &'static Location<'static>;

/// The part of the machine whose contents survive a power failure (Linux
/// `Documentation/ABI/testing/sysfs-bus-nd`, `persistence_domain`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PersistenceDomain {
    /// ADR: what has reached the memory controller. Cache lines must be flushed.
    MemoryController,
    /// eADR: the CPU caches too. Flushes are not needed, fences are.
    CpuCache,
}

/// A file system that keeps its files in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryFileSystem {
    /// `tmpfs`, as in `/dev/shm`.
    Tmpfs,
    /// `ramfs`.
    Ramfs,
    /// `hugetlbfs`.
    Hugetlbfs,
}

/// Something that a region can live on. Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a medium",
    label = "not a medium",
    note = "the media are `MapSync`, `PageCache`, `Auto`, `Emulated` and `Snapshot`, in `indelible::medium`"
)]
pub trait Medium: MediumImpl {}

/// A medium that opens files. Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not open files",
    label = "no medium for files",
    note = "use `MapSync`, `PageCache` or `Auto`, or `Snapshot` to read only; an `Emulated` region is made with `Region::new`"
)]
pub trait FileMedium: Medium + FileMediumImpl {}

/// A medium whose regions can be changed. Sealed.
#[diagnostic::on_unimplemented(
    message = "a region on `{Self}` can't be changed",
    label = "not a writable medium",
    note = "what a transaction wrote there would not survive the process; open the region on `MapSync`, `PageCache` or `Auto` to change it"
)]
pub trait Writable: Medium {}

/// Whether words verify; it is given what reads the word at an offset.
pub(crate) type Valid<'a> = &'a dyn Fn(&dyn Fn(usize) -> u64) -> bool;

/// What the engine needs of a medium. Offsets are in bytes from the region's start.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a medium, and no other type can be made one: `Medium` is sealed",
    label = "not a medium",
    note = "a medium that left out a flush or a fence would lose what was committed; the media are in `indelible::medium`"
)]
pub(crate) trait MediumImpl: Send + Sync + Sized + 'static {
    fn map(&self) -> &Map;

    /// What errors call the region.
    fn path(&self) -> &Path;

    /// How far the region may grow, in bytes.
    fn max_len(&self) -> usize;

    /// Stores a word of published memory, whole.
    #[inline(always)]
    #[track_caller]
    fn store(&self, at: usize, value: u64, _: Origin) {
        self.map().store(at, value);
    }

    /// Stores words of the journal, one behind the other; `origin` says where the one at an index comes from.
    #[inline(always)]
    #[track_caller]
    fn store_run(&self, at: usize, words: &[u8], _origin: impl Fn(usize) -> Origin) {
        self.map().store_bytes(at, words);
    }

    /// Stores bytes to published memory as words, each whole; the last is filled up with zeros.
    #[inline(always)]
    #[track_caller]
    fn store_bytes(&self, at: usize, bytes: &[u8], _: Origin) {
        self.map().store_bytes(at, bytes);
    }

    /// Starts the write-back of the lines that hold these bytes.
    #[track_caller]
    fn flush(&self, at: *const u8, len: usize, origin: Origin);

    /// Starts the write-back of the one line that holds `at`.
    #[inline(always)]
    #[track_caller]
    fn flush_line(&self, at: *const u8, origin: Origin) {
        self.flush(at, 1, origin);
    }

    /// Waits until everything that this thread flushed is durable.
    #[track_caller]
    fn fence(&self, origin: Origin) -> Result<()>;

    /// The same while a region or mapping is made or opened: there is none yet that a failure could poison.
    #[inline(always)]
    #[track_caller]
    fn fence_at_open(&self, origin: Origin) -> Result<()> {
        match self.fence(origin) {
            Err(Error::Poisoned { reason }) => {
                Err(Error::NotWrittenBack { path: self.path().to_path_buf(), reason })
            }
            other => other,
        }
    }

    /// Makes the region longer; what was there keeps its address. Durable on return.
    fn grow(&self, len: usize) -> Result<()>;

    /// Gives every byte of the region a block on the device.
    fn allocate(&self) -> Result<()> {
        Ok(())
    }

    /// The unsafe-shutdown count of the memory, where what survives a power failure depends on it.
    fn shutdowns(&self) -> Option<Shutdowns> {
        None
    }

    /// Makes durable what an earlier process left visible. `false`: this medium can't, and the reader must
    /// flush what it reads.
    ///
    /// `closed` is the offset of a word that is zero if the last user closed the file cleanly, so that no
    /// write-back of it can have failed unseen; `None` where nothing in the file says so.
    fn settle(&self, closed: Option<usize>) -> Result<bool>;

    /// Whether the explorer watches: where changes come from is noted for it, and recovery must announce what it
    /// reads. The calls below do nothing otherwise.
    const OBSERVED: bool = false;

    /// Whether the explorer wants to see what happens without a rule of the commit protocol.
    #[inline(always)]
    fn leaves_out(&self, _: Rule) -> bool {
        false
    }

    /// Recovery is about to read these bytes: what a power failure left there is decided now.
    #[inline(always)]
    fn announce(&self, _at: usize, _len: usize) {}

    /// Recovery is about to read these bytes, and believes them because of what leads to them: they must be
    /// durable already.
    #[inline(always)]
    fn announce_durable(&self, _at: usize, _len: usize) {}

    /// Recovery is about to read these bytes, and believes them if `valid` says so of the words there.
    #[inline(always)]
    fn announce_checksummed(&self, _at: usize, _len: usize, _valid: Valid<'_>) {}

    /// A block is under construction: it is written through `&mut` from now on.
    #[inline(always)]
    fn begin(&self, _: Extent, _: Origin) {}

    /// Starts the write-back of a block: its header, and an object of `len` bytes behind it. It is no longer
    /// written through `&mut`.
    #[inline(always)]
    #[track_caller]
    fn flush_block(&self, header: *const u8, len: usize, origin: Origin) {
        self.flush(header, HEADER + len, origin);
    }

    /// [`MediumImpl::flush_block`] for a block that lies in one line.
    #[inline(always)]
    #[track_caller]
    fn flush_block_line(&self, header: *const u8, _len: usize, origin: Origin) {
        self.flush_line(header, origin);
    }

    /// Copies bytes to an object whose block header stands at `header` and is written already, bypassing the
    /// cache where the CPU can, and makes the block durable. It is no longer written through `&mut`.
    #[track_caller]
    fn stream_block(&self, header: *mut u8, bytes: &[u8], origin: Origin) -> Result<()> {
        object::write_behind_header(self.map(), header, bytes);
        self.flush_block(header, bytes.len(), origin);
        self.fence(origin)
    }

    /// These bytes were written through `&mut`, and are not any more.
    #[inline(always)]
    fn written(&self, _: &[u8], _: Origin) {}

    /// Copies `bytes` to `to`, which is as long, past the cache where `route` says so, and makes them durable.
    #[track_caller]
    fn copy_persist(&self, to: &mut [u8], bytes: &[u8], _: Route, origin: Origin) -> Result<()> {
        to.copy_from_slice(bytes);
        self.flush(to.as_ptr(), to.len(), origin);
        self.fence(origin)
    }

    /// An error if a write-back has failed.
    #[inline(always)]
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The word or record that is stored next makes these bytes reachable: they must be durable.
    #[inline(always)]
    fn publishes(&self, _at: usize, _len: usize, _: Origin) {}

    /// A block that was under construction is given up.
    #[inline(always)]
    fn abandon(&self, _: Extent) {}
}

/// What a file medium needs to map a file.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not open files, and no other type can be made to: `FileMedium` is sealed",
    label = "no medium for files",
    note = "the media for files are `MapSync`, `PageCache`, `Auto` and `Snapshot`, in `indelible::medium`"
)]
pub(crate) trait FileMediumImpl: MediumImpl {
    /// What the file is to be opened for.
    const ACCESS: Access = Access::Write;

    /// Refuses a file of `len` bytes that is to be made on this file system, before anything is allocated: there
    /// may be no room for it, and that would not be the reason.
    fn check_place(_file: &OpenFile, _len: usize, _options: &FileOptions) -> Result<()> {
        Ok(())
    }

    /// Maps an open and locked file. On failure the file comes back, for another medium to try.
    #[expect(clippy::result_large_err, reason = "made once, when a region is opened")]
    fn attach(file: OpenFile, options: &FileOptions) -> Result<Self, Refused>;

    /// The file or device under the mapping.
    fn file(&self) -> &OpenFile;
}

/// Why a medium would not map a file.
pub(crate) struct Refused {
    pub error: Error,
    pub file: OpenFile,
}

impl Refused {
    /// Whether the medium was not granted, as opposed to a file that no medium could map.
    fn not_granted(&self) -> bool {
        matches!(
            self.error,
            Error::NotDax { .. } | Error::NoPersistenceDomain { .. } | Error::NoFlushInstruction { .. }
        )
    }
}
