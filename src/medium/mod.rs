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
use crate::flush::{LINE, Route};
use crate::observe::{Observe, Origin};
use std::path::Path;

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

/// What the engine needs of a medium. Offsets are in bytes from the region's start.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a medium, and no other type can be made one: `Medium` is sealed",
    label = "not a medium",
    note = "a medium that left out a flush or a fence would lose what was committed; the media are in `indelible::medium`"
)]
pub(crate) trait MediumImpl: Observe + Send + Sync + Sized + 'static {
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

    /// Starts the write-back of the line of the word at this offset.
    #[inline(always)]
    #[track_caller]
    fn flush_word(&self, at: usize, origin: Origin) {
        self.flush_line(self.map().pointer(at).as_ptr(), origin);
    }

    /// Starts the write-back of the lines of the words at these offsets, which rise, each line once.
    #[inline(always)]
    #[track_caller]
    fn flush_words(&self, words: impl Iterator<Item = usize>, origin: Origin) {
        let mut flushed = usize::MAX;
        for at in words {
            if at / LINE != flushed {
                self.flush_word(at, origin);
                flushed = at / LINE;
            }
        }
    }

    /// Starts the write-back of the lines of `len` bytes from this offset on.
    #[inline(always)]
    #[track_caller]
    fn flush_range(&self, at: usize, len: usize, origin: Origin) {
        self.flush(self.map().pointer(at).as_ptr(), len, origin);
    }

    /// Waits until everything that this thread flushed is durable.
    #[track_caller]
    fn fence(&self, origin: Origin) -> Result<()>;

    /// As [`MediumImpl::fence`], while a region or mapping is made or opened: there is none yet that a failure could
    /// poison, so that the error is [`Error::NotWrittenBack`].
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
    /// write-back of it can have failed unseen; `None` where nothing in the file says so (docs/design.md, 4.12 to 4.14).
    fn settle(&self, closed: Option<usize>) -> Result<bool>;

    /// Up to so many bytes a hash costs less than a fence, so that a commit lets its record vouch for them
    /// (docs/design.md, 7.3). Below 16 MiB, the longest extent of a record.
    #[inline(always)]
    fn hash_at_most(&self) -> usize {
        2048
    }

    /// Starts the write-back of an object that was written through `&mut`, and is not any more: `len` bytes, and the
    /// `before` bytes in front of it, from `start` on.
    #[inline(always)]
    #[track_caller]
    fn flush_object(&self, start: *const u8, before: usize, len: usize, origin: Origin) {
        self.flush(start, before + len, origin);
    }

    /// [`MediumImpl::flush_object`] where all of it lies in one line.
    #[inline(always)]
    #[track_caller]
    fn flush_object_line(&self, start: *const u8, _before: usize, _len: usize, origin: Origin) {
        self.flush_line(start, origin);
    }

    /// Copies the bytes of an object to the place `before` bytes behind `start`, past the cache where the CPU can, and
    /// makes everything from `start` on durable. What stands in front is written already; all of it is the caller's,
    /// and is no longer written through `&mut`.
    #[track_caller]
    fn stream_object(&self, start: *mut u8, before: usize, bytes: &[u8], origin: Origin) -> Result<()> {
        self.map().write_behind(start, before, bytes);
        self.flush_object(start, before, bytes.len(), origin);
        self.fence(origin)
    }

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
