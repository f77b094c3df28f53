//! The raw layer: a mapped file without region, heap or transactions, for programs that bring their own format.
//!
//! [`Mapping`] has the same checks as [`Region`](crate::Region) at the door: what the kernel and sysfs say of the
//! memory, the lock, real blocks. Behind it there are bytes. [`Mapping::parts`] gives some of them away to be
//! written, and what was written has its persistence state in its type, [`Dirty`](crate::state::Dirty),
//! [`Flushed`](crate::state::Flushed), [`Persisted`](crate::state::Persisted). The order of a format's own stores
//! is checked by the compiler if its functions demand `Persisted` bytes as evidence:
//!
//! ```
//! use indelible::Result;
//! use indelible::mapping::{Bytes, Mapping, Part};
//! use indelible::medium::Writable;
//! use indelible::state::Persisted;
//!
//! /// Counts a record in. Whoever calls this shows that the record is durable.
//! fn publish<M: Writable>(count: Part<'_, M>, n: u64, _record: &Bytes<'_, Persisted, M>) -> Result<()> {
//!     count.store(n).fence()?;
//!     Ok(())
//! }
//!
//! let mut mapping = Mapping::new(4096)?; // in plain memory, for tests
//! let [count, record] = mapping.parts([0..8, 64..128])?;
//! let record = record.copy_persist(&[7; 64])?;
//! publish(count, 1, &record)?; // with `record.copy(…)`, which is `Flushed`, this does not compile
//!
//! assert_eq!((mapping.bytes()[0], mapping.bytes()[64]), (1, 7));
//! # Ok::<(), indelible::Error>(())
//! ```
//!
//! # What is checked, and what is not
//!
//! While a [`Part`] or [`Bytes`] exists nothing else can read or write those bytes: parts are disjoint, and
//! borrow the mapping exclusively. So nothing that is on its way to memory can be changed under way, and nothing
//! streamed is readable before its fence, which is inside the call that streams. `Flushed` bytes can't go to
//! another thread, because a fence waits for the flushes of its own CPU only. A fence is made on the mapping that
//! the bytes came from.
//!
//! What the bytes mean is the program's own business: which word publishes what, whether a checksum fits, what
//! a reader makes of a half-written record. [`Bytes`] that are dropped before they are `Persisted` are changes
//! like others in memory, durable perhaps and in part. Try a format with
//! `power::MappingExplorer` (feature `power`), which opens it on every image that a crash could leave.
//!
//! # Coming from libpmem2
//!
//! | there | here |
//! |---|---|
//! | `pmem2_config_set_required_store_granularity`, then `pmem2_map_new` | the type: `Mapping<MapSync>` (cache line or byte), `Mapping<PageCache>` (page), `Mapping<Auto>`; [`Mapping::open`] refuses what does not hold |
//! | `PMEM2_FORCE_GRANULARITY` (`PMEM_IS_PMEM_FORCE=1` of libpmem) | nothing that an environment variable can switch on; [`Options::assume_persistence_domain`](crate::Options::assume_persistence_domain) in the program, `Mapping<Emulated>` in tests |
//! | `pmem2_map_get_address`, `pmem2_map_get_size` | [`Mapping::bytes`], [`Mapping::parts`], [`Mapping::len`] |
//! | `pmem2_get_persist_fn` | [`Part::write`], then [`Bytes::persist`] |
//! | `pmem2_get_flush_fn`, `pmem2_get_drain_fn` | [`Bytes::flush`], [`Bytes::fence`]; for several, [`Mapping::fence`] |
//! | `pmem2_get_memcpy_fn` with flags `0` | [`Part::copy_persist`] |
//! | … with `PMEM2_F_MEM_NODRAIN` | [`Part::copy`] (always through the cache: nothing streamed may be read before its fence) |
//! | … with `PMEM2_F_MEM_NONTEMPORAL` (or `_WC`) | [`Part::stream_persist`] |
//! | … with `PMEM2_F_MEM_TEMPORAL` (or `_WB`) | [`Part::copy`], then a fence |
//! | … with `PMEM2_F_MEM_NOFLUSH` | [`Part::write`] and `copy_from_slice` |
//! | `pmem2_get_memset_fn`, `pmem2_get_memmove_fn` | [`Part::write`] with `fill` or `copy_within`, then [`Bytes::persist`] |
//! | an 8-byte store and `pmem2_persist` | [`Part::store`], then [`Bytes::fence`] |
//! | `pmem2_deep_flush` | [`Mapping::deep_flush`], always of the whole |
//! | `pmem2_badblock_next` and its kin | [`Mapping::open`] refuses a file with bad blocks ([`Error::BadBlocks`] has them), unless [`Options::allow_bad_blocks`](crate::Options::allow_bad_blocks) |
//! | `pmem2_map_delete`, `pmem2_source_delete` | [`Mapping::close`], or dropping it |

#![allow(unsafe_code)]

mod bytes;
mod flushed_bytes;
pub(crate) mod open;
mod part;
mod place;

pub use bytes::Bytes;
pub use flushed_bytes::FlushedBytes;
pub use part::Part;

use crate::error::{Error, Result};
use crate::medium::{Emulated, FileMedium, MapSync, Writable};
use place::Place;
use std::fmt;
use std::ops::Range;
use std::panic::Location;

/// A mapped file of raw bytes on medium `M`: to libpmem2 what [`Region`](crate::Region) is to libpmemobj. See the
/// [module](self).
///
/// ```
/// use indelible::mapping::Mapping;
/// use indelible::medium::PageCache;
///
/// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
/// # let path = folder.path().join("records");
/// // SAFETY: nothing else writes or truncates this file while the mapping is open.
/// let mut mapping = unsafe { Mapping::<PageCache>::create(&path, 8192, |_| Ok(()))? };
/// println!("{} bytes on {}", mapping.len(), mapping.medium()); // 8192 bytes on PageCache (MAP_SHARED, msync)
/// mapping.part(4096..4101)?.copy(b"hello").fence()?; // durable on return
/// assert_eq!(&mapping.bytes()[4096..4101], b"hello");
/// mapping.close()?;
/// # Ok::<(), indelible::Error>(())
/// ```
pub struct Mapping<M: Writable = MapSync> {
    medium: M,
}

impl<M: Writable> Mapping<M> {
    pub(crate) fn on(medium: M) -> Self {
        Mapping { medium }
    }

    /// What the mapping lives on.
    pub fn medium(&self) -> &M {
        &self.medium
    }

    /// Its length in bytes, whole pages.
    #[expect(clippy::len_without_is_empty, reason = "a mapping has at least one page")]
    pub fn len(&self) -> usize {
        self.medium.map().len()
    }

    /// All bytes, to read. They are what was stored, which need not be durable.
    ///
    /// # Panics
    ///
    /// When a write-back has failed ([`Error::Poisoned`]); [`Mapping::try_bytes`] answers the error instead.
    ///
    /// ```
    /// # use indelible::mapping::Mapping;
    /// # let mapping = Mapping::new(4096)?;
    /// let magic: [u8; 8] = mapping.bytes()[..8].try_into().unwrap();
    /// assert_eq!(magic, [0; 8]); // nothing was ever written here
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn bytes(&self) -> &[u8] {
        match self.try_bytes() {
            Ok(bytes) => bytes,
            Err(error) => panic!("{error}"),
        }
    }

    /// All bytes, or [`Error::Poisoned`]: pages whose write-back failed may hold old data.
    ///
    /// # Errors
    ///
    /// [`Error::Poisoned`], as said.
    ///
    /// ```
    /// # use indelible::mapping::Mapping;
    /// # let mapping = Mapping::new(4096)?;
    /// // In a server that should answer this request with an error, and not end for it.
    /// let first = mapping.try_bytes().map(|bytes| bytes[0]);
    /// assert!(matches!(first, Ok(0)));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    pub fn try_bytes(&self) -> Result<&[u8]> {
        self.medium.check()?;
        // SAFETY: parts borrow the mapping exclusively, so that none exists while `&self` does; that no other
        // program writes is the promise of whoever opened the file.
        Ok(unsafe { self.medium.map().bytes(0, self.len()) })
    }

    /// These bytes, to be written: disjoint ranges, in bytes from the mapping's start.
    ///
    /// # Errors
    ///
    /// [`Error::PartOutside`], [`Error::PartsOverlap`]; [`Error::Poisoned`] after a failed write-back.
    ///
    /// ```
    /// use indelible::{Error, mapping::Mapping};
    ///
    /// let mut mapping = Mapping::new(4096)?;
    /// let [head, record] = mapping.parts([0..8, 64..128])?;
    /// assert_eq!((head.len(), record.len()), (8, 64));
    /// assert!(matches!(mapping.parts([0..8, 7..9]), Err(Error::PartsOverlap { .. })));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn parts<const N: usize>(&mut self, ranges: [Range<usize>; N]) -> Result<[Part<'_, M>; N]> {
        if M::OBSERVED {
            // Bytes that were written and dropped without a flush.
            self.medium.written(self.try_bytes()?, Location::caller());
        }
        self.medium.check()?;
        let len = self.len();
        for (index, range) in ranges.iter().enumerate() {
            if range.start > range.end || range.end > len {
                return Err(Error::PartOutside { range: range.clone(), len });
            }
            let overlaps = |other: &&Range<usize>| {
                !range.is_empty() && !other.is_empty() && range.start < other.end && other.start < range.end
            };
            if let Some(other) = ranges[..index].iter().find(overlaps) {
                return Err(Error::PartsOverlap { first: other.clone(), second: range.clone() });
            }
        }
        let medium = &self.medium;
        Ok(ranges.map(|range| {
            // SAFETY: inside, and disjoint from the others, as was just checked; the mapping is borrowed
            // exclusively for as long as the parts are.
            Part::new(unsafe { Place::new(medium, range) })
        }))
    }

    /// [`Mapping::parts`] for one range.
    ///
    /// # Errors
    ///
    /// [`Error::PartOutside`]; [`Error::Poisoned`] after a failed write-back.
    ///
    /// ```
    /// # use indelible::mapping::Mapping;
    /// let mut mapping = Mapping::new(4096)?;
    /// mapping.part(8..16)?.store(7).fence()?;
    /// assert_eq!(mapping.bytes()[8], 7);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn part(&mut self, range: Range<usize>) -> Result<Part<'_, M>> {
        let [part] = self.parts([range])?;
        Ok(part)
    }

    /// Lets the memory controllers write out their own buffers too, which ADR would do at a power failure: for
    /// what shall survive even if that fails. Slow, and not needed for `Persisted` bytes to be durable. As
    /// [`Region::deep_flush`](crate::Region::deep_flush), for the whole mapping: the kernel has no call for a part
    /// of it.
    ///
    /// # Errors
    ///
    /// Those of [`Region::deep_flush`](crate::Region::deep_flush).
    ///
    /// ```
    /// # use indelible::{Error, mapping::Mapping, medium::PageCache};
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("records");
    /// # let mapping = unsafe { Mapping::<PageCache>::create(&path, 8192, |_| Ok(()))? };
    /// // Once a day, say, before a copy of the file is called a backup.
    /// match mapping.deep_flush() {
    ///     Err(Error::Unsupported { what, .. }) => eprintln!("{what}"),
    ///     other => other?,
    /// }
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn deep_flush(&self) -> Result<()>
    where
        M: FileMedium,
    {
        self.medium.check()?;
        self.medium.fence(Location::caller())?;
        self.medium.file().deep_flush()
    }

    /// Unlocks the file. What is `Persisted` is durable without it; dropping a mapping does the same.
    ///
    /// # Errors
    ///
    /// [`Error::Poisoned`] if a write-back has failed.
    ///
    /// ```
    /// # use indelible::{mapping::Mapping, medium::PageCache};
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("records");
    /// # let mapping = unsafe { Mapping::<PageCache>::create(&path, 8192, |_| Ok(()))? };
    /// mapping.close()?; // whoever opens the file next finds it unlocked
    /// # unsafe { Mapping::<PageCache>::open(&path)? };
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn close(self) -> Result<()> {
        self.medium.check()
    }
}

impl Mapping<Emulated> {
    /// `len` zeroed bytes of anonymous memory, which are gone when it is dropped: for tests and measurements.
    ///
    /// # Errors
    ///
    /// [`Error::BadMappingLength`], [`Error::AddressSpace`], [`Error::NoFlushInstruction`].
    ///
    /// ```
    /// # use indelible::{Error, mapping::Mapping};
    /// let mapping = Mapping::new(4096)?;
    /// assert!(mapping.bytes().iter().all(|&byte| byte == 0));
    /// assert!(matches!(Mapping::new(100), Err(Error::BadMappingLength { .. })));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn new(len: u64) -> Result<Self> {
        let len = open::check_len(len)?;
        Ok(Mapping::on(Emulated::new(len, len)?))
    }
}

impl<M: Writable> fmt::Debug for Mapping<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping")
            .field("path", &self.medium.path())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

static_assertions::assert_impl_all!(Mapping<MapSync>: Send, Sync);
