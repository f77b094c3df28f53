//! [`Region`]: one mapped file with a root, a heap and a journal, verified when it is opened.
//!
//! # Safety
//!
//! The root lies at the offset that the layout gives it. [`open`](Region::open) checks it and everything
//! that it reaches; from then on it changes only when a transaction commits, which takes `&mut Region`.
#![allow(unsafe_code)]

pub(crate) mod create;
mod migrate;
pub(crate) mod open;
pub(crate) mod recover;
pub(crate) mod verify;

use crate::error::{Error, Result};
use crate::format::layout::region_len;
use crate::format::mark::Mark;
use crate::format::object;
use crate::medium::{Emulated, Entry, FileMedium, Health, MapSync, Medium, OpenFile, Writable, is_device};
use crate::observe::Origin;
use crate::options::Options;
use crate::persistent::Persistent;
use crate::tx::{Engine, Tx};
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::path::Path;
use verify::{Overlay, Walk};

/// A region of persistent memory with a root of type `R`, on medium `M`.
///
/// Reading goes through [`Region::root`] and plain references; changing goes through
/// [`Region::transact`], which needs `&mut`. A region may be sent to and shared with other threads; put it
/// into a `RwLock` for many readers and one writer.
///
/// A child of `fork` has no memory of the region (`MADV_DONTFORK`, madvise(2)), so that it dies by a signal where
/// it reads or changes the region; dropping it there does nothing. But it shares the open file that has the lock
/// (flock(2)): if the parent is killed, the region is [`Error::Locked`] until the child ends too, or starts another
/// program. So fork before you open a region, or see to it that children end with their parent.
///
/// Values have no checksum: what the device itself lost or changed, a write that it acknowledged and never made above
/// all, is found by open only where it spoils the structure ("What it doesn't promise" in the book). And where the file
/// system is shut down under the mapping, or the device fails to read a page, the kernel sends `SIGBUS`.
///
/// ```
/// # use indelible::{Persistent, Region, Word, medium::Auto};
/// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
/// # let path = folder.path().join("counter.pm");
/// #[derive(Persistent)]
/// #[repr(C)]
/// struct Counter { hits: Word<u64> }
///
/// let zero = || Counter { hits: Word::new(0) };
/// // SAFETY: nothing else writes or truncates this file while the region is open.
/// let mut region = unsafe { Region::<Counter, Auto>::open_or_create(&path, 1 << 20, zero)? };
/// println!("{} bytes on {}", region.len(), region.medium()); // 1048576 bytes on PageCache (MAP_SHARED, msync)
/// if region.was_recovered() {
///     println!("whoever had it open before did not close it");
/// }
/// region.transact(|tx, counter| Ok(tx.store(&counter.hits, tx.load(&counter.hits) + 1)))?; // durable
/// assert_eq!(region.root().hits.get(), 1);
/// region.close()?;
/// # Ok::<(), indelible::Error>(())
/// ```
///
/// # When it is full
///
/// A removal from a map copies a node before it frees the old one, and so do [`Tx::rewrite`](crate::Tx::rewrite) and
/// [`Log::resize`](crate::collections::Log::resize). So that a region which is full, or whose disk is, can be emptied
/// again, a part of it is kept back for transactions that give back at least as many bytes as they take: a sixth of its pages
/// of 4 KiB up to 16 of them, a sixteenth of a larger region, at most 16 MiB. Other transactions get
/// [`Error::HeapFull`] or [`Error::DiskFull`] at their commit when no more is left, and nothing is changed. A region
/// of less than six pages has no such part.
///
/// A page stays with the size of the objects in it (16 sizes up to a kilobyte) until all of them are gone, so that
/// much may be free and yet nothing for an object of another size. In a full region of many small objects it
/// may therefore take the removal of some percent of them before an insert finds room. Files never
/// shrink; what is free is used again.
pub struct Region<R: Persistent, M: Medium = MapSync> {
    medium: M,
    engine: Engine,
    recovered: bool,
    closed: bool,
    root: PhantomData<R>,
}

impl<R: Persistent, M: Medium> Region<R, M> {
    pub(crate) fn new_parts(medium: M, engine: Engine, recovered: bool) -> Self {
        Region { medium, engine, recovered, closed: false, root: PhantomData }
    }

    /// Opens the region in the file (or device-DAX device) at `path`, which must exist.
    ///
    /// The file is locked (`flock`) until the region is closed or dropped, synced, and walked from the root;
    /// an outstanding journal record is replayed. On return everything that the root reaches is durable.
    ///
    /// # Safety
    ///
    /// As long as the region is open nothing else writes to or truncates the file: other programs of this
    /// crate are kept out by the lock, but the kernel has no means against the rest.
    ///
    /// # Errors
    ///
    /// A typed [`Error`] for everything that can be wrong with the path, the file, the medium and the
    /// contents. The contents are as they were.
    ///
    /// ```
    /// # use indelible::{Persistent, Region, Word, medium::PageCache};
    /// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("counter.pm");
    /// # unsafe { Region::<Counter, PageCache>::create(&path, 1 << 20, Counter { hits: Word::new(3) })? }.close()?;
    /// // SAFETY: nothing else writes or truncates this file while the region is open.
    /// let region = unsafe { Region::<Counter, PageCache>::open(&path)? };
    /// assert_eq!(region.root().hits.get(), 3);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub unsafe fn open(path: impl AsRef<Path>) -> Result<Self>
    where
        M: FileMedium,
    {
        // SAFETY: the caller's promise.
        unsafe { Options::new().open(path) }
    }

    /// Creates a region of `len` bytes with this root at `path`, where nothing may be.
    ///
    /// It is built in a file without a name and gets its name when it is whole and durable. The file gets
    /// real blocks and mode `0o600`; it grows when it is full ([`Options::max_len`]). On a device-DAX device
    /// the region takes the whole device.
    ///
    /// # Safety
    ///
    /// As for [`Region::open`].
    ///
    /// # Errors
    ///
    /// [`Error::Exists`], [`Error::TooSmall`], [`Error::DiskFull`] and those of the medium. No file is left
    /// behind.
    ///
    /// ```
    /// # use indelible::{Persistent, Region, Word, medium::PageCache};
    /// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("counter.pm");
    /// // SAFETY: nothing else writes or truncates this file while the region is open.
    /// let region = unsafe { Region::<Counter, PageCache>::create(&path, 1 << 20, Counter { hits: Word::new(0) })? };
    /// region.close()?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub unsafe fn create(path: impl AsRef<Path>, len: u64, root: R) -> Result<Self>
    where
        M: FileMedium + Writable,
    {
        // SAFETY: the caller's promise.
        unsafe { Options::new().create(path, len, root) }
    }

    /// Opens the region at `path`, or creates it with `len` bytes and the root that `root` makes.
    ///
    /// On a device-DAX device it creates one where the first eight bytes are zero: what else is there may be
    /// wanted, and is left to [`Region::create`].
    ///
    /// # Safety
    ///
    /// As for [`Region::open`].
    ///
    /// # Errors
    ///
    /// Those of [`Region::open`] and [`Region::create`].
    ///
    /// ```
    /// # use indelible::{Persistent, Region, Word, medium::PageCache};
    /// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("counter.pm");
    /// let zero = || Counter { hits: Word::new(0) };
    /// // SAFETY: nothing else writes or truncates this file while the region is open.
    /// let region = unsafe { Region::<Counter, PageCache>::open_or_create(&path, 1 << 20, zero)? };
    /// println!("{} hits so far", region.root().hits.get());
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub unsafe fn open_or_create(path: impl AsRef<Path>, len: u64, root: impl FnOnce() -> R) -> Result<Self>
    where
        M: FileMedium + Writable,
    {
        // SAFETY: the caller's promise.
        unsafe { Options::new().open_or_create(path, len, root) }
    }

    /// Opens the region at `path`, and turns it into one with a root of type `R` if its root is an `A`.
    ///
    /// This is how a program goes on when its types have changed and [`Region::open`] answers
    /// [`Error::SchemaMismatch`]. The old region is read without changing it. `root` makes the new root of the
    /// old one, and `fill` runs as many transactions on the new region as it likes: what it commits there is in
    /// a file without a name, of `len` bytes at first, that nobody else sees. When it is done and durable, it
    /// takes the old file's name in one step. A region that has a root of type `R` already is only opened, so
    /// that a program may always start with this call.
    ///
    /// On return the new region is open, and it and its name are durable. A process that is killed, and a power
    /// failure, leave the old region or the new one at `path`, whole. (A hidden file `.NAME.….new` may stay
    /// behind beside it: the next migration removes it.)
    ///
    /// The old file is locked meanwhile, as for writing. It is gone afterwards, unless [`Options::keep_old`]
    /// names a place for it. The new file has its mode, owner and group, but not its extended attributes and
    /// access control lists; another hard link to the old file still leads to that. At the end of a symbolic
    /// link the file is replaced, not the link. A device has no name to give away, so that a region on device
    /// DAX can't be migrated in place.
    ///
    /// ```
    /// use indelible::{Persistent, Region, Result, Word, medium::Auto};
    ///
    /// #[derive(Persistent)]
    /// #[repr(C)]
    /// struct Counter { hits: Word<u32> }
    ///
    /// #[derive(Persistent)]
    /// #[repr(C)]
    /// struct Counters { hits: Word<u64>, misses: Word<u64> }
    ///
    /// fn open(path: &str) -> Result<Region<Counters, Auto>> {
    ///     let root = |old: &Counter| Counters { hits: Word::new(old.hits.get().into()), misses: Word::new(0) };
    ///     // SAFETY: nothing else writes or truncates this file while the region is open.
    ///     unsafe { Region::migrate(path, 1 << 20, root, |_, _| Ok(())) }
    /// }
    /// ```
    ///
    /// # Safety
    ///
    /// As for [`Region::open`], for the old file and the new one.
    ///
    /// # Errors
    ///
    /// Those of [`Region::open`] and [`Region::create`], and what `fill` answers; [`Error::SameSchema`] if `A`
    /// and `R` can't be told from each other; [`Error::Exists`] for what stands where the old file is to be kept.
    /// The old region stays as it was, and nothing is left behind.
    ///
    /// # Panics
    ///
    /// When `root` or `fill` do, with the same consequence, and if `fill` exchanges the region that it is given
    /// for another.
    #[track_caller]
    pub unsafe fn migrate<A: Persistent>(
        path: impl AsRef<Path>,
        len: u64,
        root: impl FnOnce(&A) -> R,
        fill: impl FnOnce(&A, &mut Region<R, M>) -> Result<()>,
    ) -> Result<Self>
    where
        M: FileMedium + Writable,
    {
        // SAFETY: the caller's promise.
        unsafe { Options::new().migrate(path, len, root, fill) }
    }

    /// The root, and through its links everything in the region: plain references, nothing is copied.
    ///
    /// # Panics
    ///
    /// When the region is poisoned ([`Error::Poisoned`]); [`Region::try_root`] answers the error instead.
    #[inline]
    #[track_caller]
    pub fn root(&self) -> &R {
        match self.try_root() {
            Ok(root) => root,
            Err(error) => panic!("{error}"),
        }
    }

    /// The root, or [`Error::Poisoned`].
    ///
    /// # Errors
    ///
    /// [`Error::Poisoned`] after a write-back that failed: the pages concerned may hold old data. Close the region, and
    /// open it again.
    ///
    /// ```
    /// # use indelible::{Region, Word};
    /// # let region = Region::new(1 << 20, Word::new(5))?;
    /// // In a server that should answer this request with an error, and not end for it.
    /// let hits = match region.try_root() {
    ///     Ok(root) => Some(root.get()),
    ///     Err(_poisoned) => None,
    /// };
    /// assert_eq!(hits, Some(5));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    pub fn try_root(&self) -> Result<&R> {
        self.engine.check_poison()?;
        let root = object::pointer::<R>(self.medium.map(), self.engine.layout.root());
        // SAFETY: the module's invariant; `&self` keeps transactions out for as long as the root is borrowed.
        Ok(unsafe { root.as_ref() })
    }

    /// What the region lives on.
    pub fn medium(&self) -> &M {
        &self.medium
    }

    /// The region's size now, in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a region always has a header and a root")]
    pub fn len(&self) -> u64 {
        self.medium.map().len() as u64
    }

    /// Whether the process that had the region open before this one did not close it: it was killed, or the
    /// power failed. Nothing that was committed is missing for that.
    pub fn was_recovered(&self) -> bool {
        self.recovered
    }

    /// Runs `f` as one failure-atomic transaction.
    ///
    /// If it answers `Ok`, all its changes are committed together and durable on return. If it answers `Err`
    /// or panics, the published state is as it was.
    ///
    /// # Errors
    ///
    /// What `f` answers; [`Error::Orphaned`] if a handle was neither published, attached nor freed;
    /// [`Error::JournalFull`]; [`Error::Poisoned`] after a failed write-back, [`Error::OutcomeUnknown`] if it
    /// was the commit's own. Nothing is changed, except that the outcome of the last is unknown until the
    /// region is opened again.
    ///
    /// # Panics
    ///
    /// When `f` does, and for a broken rule: a slot outside this region, or one that is occupied.
    ///
    /// ```
    /// # use indelible::{Persistent, Region, Word};
    /// #[derive(Persistent)]
    /// #[repr(C)]
    /// struct Counters { hits: Word<u64>, misses: Word<u64> }
    ///
    /// let mut region = Region::new(1 << 20, Counters { hits: Word::new(0), misses: Word::new(0) })?;
    /// region.transact(|tx, root| {
    ///     tx.store(&root.hits, tx.load(&root.hits) + 1);
    ///     tx.store(&root.misses, 7);
    ///     Ok(())
    /// })?;
    /// assert_eq!((region.root().hits.get(), region.root().misses.get()), (1, 7));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn transact<X>(&mut self, f: impl for<'t> FnOnce(&Tx<'t, M>, &'t R) -> Result<X>) -> Result<X>
    where
        M: Writable,
    {
        self.try_transact(f)
    }

    /// [`Region::transact`] for closures with an error type of their own. Where a `?` behind the call converts the
    /// error once more, the closure must name its own: `Ok::<_, Refused>(())`.
    ///
    /// # Errors
    ///
    /// As for [`Region::transact`], converted into `E`.
    ///
    /// # Panics
    ///
    /// As for [`Region::transact`].
    ///
    /// ```
    /// # use indelible::{Persistent, Region, Word};
    /// # #[derive(Persistent)] #[repr(C)] struct Purse { cents: Word<i64> }
    /// # let mut purse = Region::new(1 << 20, Purse { cents: Word::new(100) })?;
    /// #[derive(Debug)]
    /// enum Refused {
    ///     NotEnough,
    ///     Region(indelible::Error),
    /// }
    /// impl From<indelible::Error> for Refused {
    ///     fn from(error: indelible::Error) -> Self {
    ///         Refused::Region(error)
    ///     }
    /// }
    ///
    /// let result = purse.try_transact(|tx, purse| match tx.load(&purse.cents) - 120 {
    ///     ..0 => Err(Refused::NotEnough),
    ///     rest => Ok(tx.store(&purse.cents, rest)),
    /// });
    /// assert!(matches!(result, Err(Refused::NotEnough)));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn try_transact<X, E: From<Error>>(
        &mut self,
        f: impl for<'t> FnOnce(&Tx<'t, M>, &'t R) -> Result<X, E>,
    ) -> Result<X, E>
    where
        M: Writable,
    {
        let origin: Origin = Location::caller();
        self.engine.check_poison()?;
        let root = object::pointer::<R>(self.medium.map(), self.engine.root);
        // SAFETY: the module's invariant; published memory changes at commit only, when `f` has returned and
        // no reference of its lifetime is left.
        let root = unsafe { root.as_ref() };
        let mut tx = Tx::begin(&self.medium, &mut self.engine);
        let result = f(&tx, root)?;
        tx.commit(origin)?;
        std::mem::forget(tx); // dropped, it aborts
        Ok(result)
    }

    /// Walks everything that the root reaches, as [`Region::open`] does, and compares it with what the heap
    /// holds as allocated.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] if the memory under the region was changed by something else.
    ///
    /// ```
    /// # use indelible::{Link, Region};
    /// # let mut region = Region::new(1 << 20, Link::<str>::null())?;
    /// # region.transact(|tx, slot| Ok(tx.stage(slot, tx.flush(tx.alloc_str("Ada")?))))?;
    /// let usage = region.usage()?;
    /// assert_eq!(usage.objects, 2); // the root, and the text behind it
    /// assert_eq!(usage.unreached_bytes, 0);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn usage(&self) -> Result<Usage> {
        self.engine.check_poison()?;
        let overlay = Overlay::default();
        let walk = Walk {
            medium: &self.medium,
            layout: &self.engine.layout,
            root: R::type_info(),
            overlay: &overlay,
            flush: false,
            origin: Location::caller(),
        };
        let reached = walk.run()?;
        let (unreached, unallocated) = reached.blocks.compare(&self.engine.heap);
        assert_eq!(unallocated, 0, "reachable blocks that the heap holds as free");
        Ok(Usage {
            objects: reached.objects,
            object_bytes: reached.bytes,
            unreached_bytes: unreached as u64,
            region_bytes: self.len(),
        })
    }

    /// What the kernel knows of the memory under the region: its persistence domain, its bad blocks, how often
    /// it lost power without saving everything. Read from sysfs now; see [`Health`] for what may be missing.
    ///
    /// ```no_run
    /// # use indelible::{Persistent, Region, Word, medium::MapSync};
    /// # #[derive(Persistent)]
    /// # #[repr(C)]
    /// # struct Counter { hits: Word<u64> }
    /// // SAFETY: nothing else writes or truncates this file while the region is open.
    /// let region: Region<Counter, MapSync> = unsafe { Region::open("/mnt/pmem/counter")? };
    /// let health = region.health()?;
    /// if health.bad_blocks.is_none_or(|blocks| !blocks.is_empty()) {
    ///     eprintln!("bad blocks, or nobody knows");
    /// }
    /// # Ok::<(), indelible::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file system fails to say where the file's blocks are.
    pub fn health(&self) -> Result<Health>
    where
        M: FileMedium,
    {
        let mut health = self.medium.file().health()?;
        health.recorded_unsafe_shutdowns = Mark::read(&self.medium).recorded();
        Ok(health)
    }

    /// Lets the memory controllers write out their own buffers too, which ADR would do at a power failure: for
    /// what shall survive even if that fails (libpmem2 calls it a deep flush). Slow, and not needed for a
    /// commit to be durable.
    ///
    /// On a file it is an `fsync`, on a device-DAX device a write to the `deep_flush` attribute of its NVDIMM
    /// region (Linux `drivers/nvdimm/region_devs.c`), which root may do. On return everything that was committed
    /// has left the controllers' buffers.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] where the kernel offers none, [`Error::PermissionDenied`] with the attribute's
    /// path, [`Error::Io`], [`Error::Poisoned`].
    ///
    /// ```
    /// # use indelible::{Error, Persistent, Region, Word, medium::PageCache};
    /// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("counter.pm");
    /// # unsafe { Region::<Counter, PageCache>::create(&path, 1 << 20, Counter { hits: Word::new(3) })? }.close()?;
    /// // SAFETY: nothing else writes or truncates this file while the region is open.
    /// let region = unsafe { Region::<Counter, PageCache>::open(&path)? };
    /// // Once a day, say, before a copy of the file is called a backup.
    /// match region.deep_flush() {
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
        self.engine.check_poison()?;
        self.medium.fence(Location::caller())?;
        self.medium.file().deep_flush()
    }

    /// Closes the region: retires the journal and marks the region as closed, durably, then unlocks the file.
    /// Everything that was committed is durable without it; dropping a region does the same and can't report
    /// an error.
    ///
    /// # Errors
    ///
    /// [`Error::Poisoned`] if it was poisoned, or if the last write-back fails; [`Error::OtherProcess`] in a
    /// child of `fork`.
    ///
    /// ```
    /// # use indelible::{Persistent, Region, Word, medium::PageCache};
    /// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("counter.pm");
    /// # unsafe { Region::<Counter, PageCache>::create(&path, 1 << 20, Counter { hits: Word::new(3) })? }.close()?;
    /// // SAFETY: nothing else writes or truncates this file while the region is open.
    /// let region = unsafe { Region::<Counter, PageCache>::open(&path)? };
    /// region.close()?;
    /// // SAFETY: as above.
    /// let region = unsafe { Region::<Counter, PageCache>::open(&path)? }; // not locked any more
    /// assert!(!region.was_recovered());
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn close(mut self) -> Result<()> {
        self.shut_down()
    }

    /// Lets go of the region as a crash would: nothing is written.
    #[cfg(feature = "power")]
    pub(crate) fn abandon(mut self) {
        self.closed = true;
    }

    #[track_caller]
    fn shut_down(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        let (opened, this) = (self.medium.map().process(), std::process::id());
        if opened != this {
            return Err(Error::OtherProcess { opened, this });
        }
        self.engine.close(&self.medium, Location::caller())
    }
}

/// The verbs, with settings of one's own.
impl Options {
    /// As [`Region::open`], with these options.
    ///
    /// # Safety
    ///
    /// As for [`Region::open`].
    ///
    /// # Errors
    ///
    /// As for [`Region::open`], and [`Error::BadOption`].
    ///
    /// ```
    /// # use indelible::{Options, Persistent, Region, Word, medium::PageCache};
    /// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("counter.pm");
    /// # unsafe { Region::<Counter, PageCache>::create(&path, 1 << 20, Counter { hits: Word::new(3) })? }.close()?;
    /// // SAFETY: nothing else writes or truncates this file while the region is open.
    /// let region = unsafe { Options::new().max_len(1 << 30).open::<Counter, PageCache>(&path)? };
    /// assert_eq!(region.root().hits.get(), 3);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub unsafe fn open<R: Persistent, M: FileMedium>(&self, path: impl AsRef<Path>) -> Result<Region<R, M>> {
        self.check()?;
        open::open(path.as_ref(), self)
    }

    /// As [`Region::create`], with these options.
    ///
    /// # Safety
    ///
    /// As for [`Region::create`].
    ///
    /// # Errors
    ///
    /// As for [`Region::create`], and [`Error::BadOption`].
    ///
    /// ```
    /// # use indelible::{Options, Persistent, Region, Word, medium::PageCache};
    /// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("counter.pm");
    /// let zero = Counter { hits: Word::new(0) };
    /// // SAFETY: nothing else writes or truncates this file while the region is open.
    /// let region = unsafe { Options::new().journal_words(64).create::<_, PageCache>(&path, 1 << 20, zero)? };
    /// assert_eq!(region.root().hits.get(), 0);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub unsafe fn create<R: Persistent, M: FileMedium + Writable>(
        &self,
        path: impl AsRef<Path>,
        len: u64,
        root: R,
    ) -> Result<Region<R, M>> {
        self.check()?;
        create::create(path.as_ref(), len, root, self)
    }

    /// As [`Region::open_or_create`], with these options.
    ///
    /// # Safety
    ///
    /// As for [`Region::open_or_create`].
    ///
    /// # Errors
    ///
    /// As for [`Region::open_or_create`], and [`Error::BadOption`].
    ///
    /// ```
    /// # use indelible::{Options, Persistent, Region, Word, medium::PageCache};
    /// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("counter.pm");
    /// let zero = || Counter { hits: Word::new(0) };
    /// // SAFETY: nothing else writes or truncates this file while the region is open.
    /// let region = unsafe { Options::new().mode(0o640).open_or_create::<_, PageCache>(&path, 1 << 20, zero)? };
    /// assert_eq!(region.root().hits.get(), 0);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub unsafe fn open_or_create<R: Persistent, M: FileMedium + Writable>(
        &self,
        path: impl AsRef<Path>,
        len: u64,
        root: impl FnOnce() -> R,
    ) -> Result<Region<R, M>> {
        self.check()?;
        // Looked up once: `root` may change the working directory.
        let entry = Entry::at(path.as_ref())?;
        let open = || open::open_file(OpenFile::open_entry(&entry, M::ACCESS, self.file())?, self);
        match open() {
            Err(Error::NotFound { .. }) => {}
            // A device that was never used, or was being made into a region when the power failed: the magic
            // comes last. Anything else on a device may be wanted.
            Err(Error::NotARegion { found, .. })
                if found.iter().all(|&byte| byte == 0) && is_device(&entry) => {}
            other => return other,
        }
        match create::create_at(entry.clone(), len, root(), self) {
            // Another process was faster.
            Err(Error::Exists { .. } | Error::DeviceInUse { .. }) => open(),
            other => other,
        }
    }

    /// As [`Region::new`], with these settings: a region of `len` bytes in anonymous memory.
    ///
    /// # Errors
    ///
    /// As for [`Region::new`], and [`Error::BadOption`].
    ///
    /// ```
    /// # use indelible::{Options, Word};
    /// let region = Options::new().max_len(1 << 30).emulated(1 << 20, Word::new(5))?;
    /// assert_eq!(region.root().get(), 5);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn emulated<R: Persistent>(&self, len: u64, root: R) -> Result<Region<R, Emulated>> {
        self.check()?;
        let (layout, text) = create::plan::<R>(self.journal(), 1)?;
        let len = region_len(len, layout.min_len())?;
        let medium = Emulated::new(len, self.file().reserve(len))?;
        let engine = create::build(&medium, layout, &text, root, Location::caller())?;
        Ok(Region::new_parts(medium, engine, false))
    }

    /// As [`Region::migrate`], with these options. The new file has the old one's mode, whatever
    /// [`Options::mode`] says.
    ///
    /// # Safety
    ///
    /// As for [`Region::migrate`].
    ///
    /// # Errors
    ///
    /// As for [`Region::migrate`], and [`Error::BadOption`].
    ///
    /// # Panics
    ///
    /// As for [`Region::migrate`].
    ///
    /// ```
    /// # use indelible::{Options, Persistent, Region, Word, medium::PageCache};
    /// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("counter.pm");
    /// # unsafe { Region::<Counter, PageCache>::create(&path, 1 << 20, Counter { hits: Word::new(3) })? }.close()?;
    /// #[derive(Persistent)]
    /// #[repr(C)]
    /// struct Counters { hits: Word<u64>, misses: Word<u64> }
    ///
    /// let root = |old: &Counter| Counters { hits: Word::new(old.hits.get()), misses: Word::new(0) };
    /// // SAFETY: nothing else writes or truncates this file while the region is open.
    /// let region: Region<_, PageCache> =
    ///     unsafe { Options::new().max_len(1 << 30).migrate(&path, 1 << 20, root, |_, _| Ok(()))? };
    /// assert_eq!((region.root().hits.get(), region.root().misses.get()), (3, 0));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub unsafe fn migrate<A: Persistent, R: Persistent, M: FileMedium + Writable>(
        &self,
        path: impl AsRef<Path>,
        len: u64,
        root: impl FnOnce(&A) -> R,
        fill: impl FnOnce(&A, &mut Region<R, M>) -> Result<()>,
    ) -> Result<Region<R, M>> {
        self.check()?;
        migrate::migrate(path.as_ref(), len, root, fill, self)
    }
}

impl<R: Persistent> Region<R, Emulated> {
    /// A region of `len` bytes in anonymous memory, which is gone when it is dropped: for tests and
    /// measurements. It grows up to 64 GiB; [`Options::emulated`] makes one that needs less address space.
    ///
    /// # Errors
    ///
    /// [`Error::TooSmall`], [`Error::TooLarge`], [`Error::AddressSpace`], [`Error::NoFlushInstruction`].
    ///
    /// ```
    /// # use indelible::{Region, Word};
    /// let region = Region::new(1 << 20, Word::new(5))?;
    /// assert_eq!(region.root().get(), 5);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn new(len: u64, root: R) -> Result<Self> {
        Options::new().emulated(len, root)
    }
}

impl<R: Persistent, M: Medium> Drop for Region<R, M> {
    fn drop(&mut self) {
        let _ = self.shut_down();
    }
}

impl<R: Persistent, M: Medium> fmt::Debug for Region<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("path", &self.medium.path())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// What a region holds; see [`Region::usage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Objects that the root reaches, itself included.
    pub objects: u64,
    /// Bytes of these objects, with their block headers.
    pub object_bytes: u64,
    /// Bytes of the heap that are neither reached nor free: objects that a transaction left in a circle of
    /// owners, free again after the next open.
    pub unreached_bytes: u64,
    /// Bytes of the whole region.
    pub region_bytes: u64,
}
