//! [`Options`]: how a region is opened or created.

use super::layout::Layout;
use super::{Region, create, heap};
use crate::error::{Error, Result};
use crate::medium::{Emulated, Entry, FileMedium, MemoryFileSystem, OpenFile, PersistenceDomain, Writable};
use crate::persistent::Persistent;
use std::panic::Location;
use std::path::{Path, PathBuf};

/// How a region is opened or created. The defaults are those of [`Region::open`] and [`Region::create`].
///
/// ```
/// use indelible::{Options, Persistent, Word, medium::PageCache};
///
/// #[derive(Persistent)]
/// #[repr(C)]
/// struct Counter { hits: Word<u64> }
///
/// # let folder = tempfile::tempdir_in(".")?; // not in /tmp, which may be memory
/// # let path = folder.path().join("counter");
/// // At most 16 MiB, small transactions, and readable for the group.
/// let options = Options::new().max_len(16 << 20).journal_words(64).mode(0o640);
/// // SAFETY: nothing else writes or truncates this file while the region is open.
/// let counter = unsafe {
///     options.create::<Counter, PageCache>(&path, 1 << 20, Counter { hits: Word::new(0) })?
/// };
/// assert_eq!(counter.root().hits.get(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    max_len: Option<u64>,
    mode: u32,
    journal_words: usize,
    domain: Option<PersistenceDomain>,
    memory_file_systems: Vec<MemoryFileSystem>,
    keep_old: Option<PathBuf>,
    bad_blocks: bool,
    unsafe_shutdown: bool,
    world_writable: bool,
    other_owner: bool,
}

/// Address space that is reserved for growth where nothing else is said, in bytes.
const DEFAULT_RESERVE: u64 = 64 << 30;
/// The heap's bookkeeping ends here.
pub(crate) const MAX_LEN: u64 = (1 << 40) - (1 << 20);

impl Default for Options {
    fn default() -> Self {
        Options {
            max_len: None,
            mode: 0o600,
            journal_words: 1024,
            domain: None,
            memory_file_systems: Vec::new(),
            keep_old: None,
            bad_blocks: false,
            unsafe_shutdown: false,
            world_writable: false,
            other_owner: false,
        }
    }
}

impl Options {
    /// The defaults: what [`Region::open`] and [`Region::create`] take.
    pub fn new() -> Self {
        Self::default()
    }

    /// How far the region may grow, in bytes; 64 GiB by default, or the file's size if that is more.
    ///
    /// So much *address space* is reserved when the region is opened; neither memory nor disk is. An
    /// allocation that doesn't fit lets the file grow up to here, and fails with
    /// [`Error::HeapFull`] after that. A device does not grow. Less than 1 TiB.
    ///
    /// ```
    /// # use indelible::{Error, Link, Options};
    /// let options = Options::new().max_len(2 << 20);
    /// let mut region = options.emulated(1 << 20, Link::<[u8]>::null())?;
    /// let large = vec![0; 4 << 20];
    /// let result = region.transact(|tx, slot| Ok(tx.stage(slot, tx.stream_slice(&large)?)));
    /// assert!(matches!(result, Err(Error::HeapFull { .. })));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn max_len(mut self, bytes: u64) -> Self {
        self.max_len = Some(bytes);
        self
    }

    /// Permission bits of a new file, before the umask; `0o600` by default.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// How many published words one transaction of a new region may change; 1,024 by default. The journal
    /// takes 32 bytes of the region for each.
    ///
    /// ```
    /// # use indelible::{Error, Options, Word};
    /// let nine: [Word<u64>; 9] = std::array::from_fn(|_| Word::new(0));
    /// let mut region = Options::new().journal_words(8).emulated(1 << 20, nine)?;
    /// let result = region.transact(|tx, nine| Ok(nine.iter().for_each(|word| tx.store(word, 1))));
    /// assert!(matches!(result, Err(Error::JournalFull { words: 9, capacity: 8 })));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn journal_words(mut self, words: usize) -> Self {
        self.journal_words = words;
        self
    }

    /// The caller vouches that the memory survives a power failure, where sysfs names no persistence
    /// domain. Only [`PersistenceDomain::MemoryController`] can be vouched for: that the CPU caches
    /// survive, and flushes can be left out, is believed from sysfs only.
    ///
    /// For a machine whose firmware names no domain, though its memory is battery-backed:
    ///
    /// ```no_run
    /// # use indelible::{Options, Persistent, Region, Word, medium::{MapSync, PersistenceDomain}};
    /// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
    /// let options = Options::new().assume_persistence_domain(PersistenceDomain::MemoryController);
    /// // SAFETY: nothing else writes or truncates this file while the region is open.
    /// let region: Region<Counter, MapSync> = unsafe { options.open("/mnt/pmem/counter")? };
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn assume_persistence_domain(mut self, domain: PersistenceDomain) -> Self {
        self.domain = Some(domain);
        self
    }

    /// Lets [`PageCache`](crate::medium::PageCache) use a file system that loses its files with the power.
    ///
    /// For tests of a program that opens files:
    ///
    /// ```
    /// # use indelible::{Options, Persistent, Region, Word, medium::{MemoryFileSystem, PageCache}};
    /// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("counter.pm"); // may be on a tmpfs
    /// let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
    /// // SAFETY: nothing else writes or truncates this file while the region is open.
    /// let region: Region<_, PageCache> = unsafe { options.create(&path, 1 << 20, Counter { hits: Word::new(0) })? };
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn allow_memory_file_system(mut self, name: MemoryFileSystem) -> Self {
        self.memory_file_systems.push(name);
        self
    }

    /// Opens a file that everybody may write to; [`Error::WorldWritable`] otherwise.
    ///
    /// Who may write to a file can change and truncate it while it is open, and what happens then is what
    /// `open` is `unsafe` for. The same holds for the file's group, whose members its owner chose, and for the
    /// folder: they are not looked at. Devices are not either: who may use them is for the administrator to say.
    ///
    /// ```
    /// # use indelible::{Error, Options, Persistent, Region, Word, medium::PageCache};
    /// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("counter.pm");
    /// # unsafe { Region::<Counter, PageCache>::create(&path, 1 << 20, Counter { hits: Word::new(3) })? }.close()?;
    /// # use std::{fs, os::unix::fs::PermissionsExt};
    /// fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    /// // SAFETY: nothing else writes or truncates this file while the region is open.
    /// let result = unsafe { Region::<Counter, PageCache>::open(&path) };
    /// assert!(matches!(result, Err(Error::WorldWritable { .. })));
    /// // SAFETY: as above; nobody but this program runs on this machine.
    /// let region = unsafe { Options::new().allow_world_writable().open::<Counter, PageCache>(&path)? };
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn allow_world_writable(mut self) -> Self {
        self.world_writable = true;
        self
    }

    /// Opens a file that belongs to another user; [`Error::OtherOwner`] otherwise.
    ///
    /// The owner can change and truncate it while it is open, whatever its mode. So root too needs this for
    /// the files of others, and others for root's. A new file belongs to who makes it.
    ///
    /// For a reader that runs as a user of its own:
    ///
    /// ```no_run
    /// # use indelible::{Options, Persistent, Region, Word, medium::Snapshot};
    /// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
    /// // SAFETY: the service that owns the file keeps to the lock, and so does not write while this is open.
    /// let region: Region<Counter, Snapshot> = unsafe { Options::new().allow_other_owner().open("/srv/counter.pm")? };
    /// println!("{}", region.root().hits.get());
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn allow_other_owner(mut self) -> Self {
        self.other_owner = true;
        self
    }

    /// Lets [`Region::migrate`] keep the old file under this name, which must be free and on the same file
    /// system. It has the name before the new file takes its place. A relative path is looked up when `migrate` is
    /// called, before its closures run.
    ///
    /// ```
    /// # use indelible::{Options, Persistent, Region, Word, medium::PageCache};
    /// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("counter.pm");
    /// # unsafe { Region::<Counter, PageCache>::create(&path, 1 << 20, Counter { hits: Word::new(3) })? }.close()?;
    /// # #[derive(Persistent)] #[repr(C)] struct Counters { hits: Word<u64>, misses: Word<u64> }
    /// # let root = |old: &Counter| Counters { hits: Word::new(old.hits.get()), misses: Word::new(0) };
    /// let old = folder.path().join("counter.before-v2");
    /// // SAFETY: nothing else writes or truncates this file while the region is open.
    /// let new: Region<Counters, PageCache> =
    ///     unsafe { Options::new().keep_old(&old).migrate(&path, 1 << 20, root, |_, _| Ok(()))? };
    /// // SAFETY: as above.
    /// let old = unsafe { Region::<Counter, PageCache>::open(&old)? };
    /// assert_eq!((new.root().hits.get(), old.root().hits.get()), (3, 3));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn keep_old(mut self, path: impl Into<PathBuf>) -> Self {
        self.keep_old = Some(path.into());
        self
    }

    /// Opens a region although the kernel knows of bad blocks in it ([`Error::BadBlocks`]), to save what can
    /// be saved: reading one kills the process with `SIGBUS`.
    ///
    /// ```no_run
    /// # use indelible::{Options, Persistent, Region, Word, medium::MapSync};
    /// # #[derive(Persistent)]
    /// # #[repr(C)]
    /// # struct Counter { hits: Word<u64> }
    /// // SAFETY: nothing else writes or truncates this file while the region is open.
    /// let rest: Region<Counter, MapSync> = unsafe { Options::new().allow_bad_blocks().open("/mnt/pmem/x")? };
    /// println!("bad: {:?}", rest.health()?.bad_blocks);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn allow_bad_blocks(mut self) -> Self {
        self.bad_blocks = true;
        self
    }

    /// Opens a region although its memory lost power without saving everything while the region was in use
    /// ([`Error::UnsafeShutdown`]): the caller has compared its contents with a copy, or can do without.
    ///
    /// What open verifies is verified all the same. What it can't see are values that are old, or that are
    /// valid and wrong. The count is recorded anew, and so the next open needs this no more.
    ///
    /// ```no_run
    /// # use indelible::{Error, Options, Persistent, Region, Result, Word, medium::MapSync};
    /// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
    /// fn open(path: &str, compared_with_copy: bool) -> Result<Region<Counter, MapSync>> {
    ///     let mut options = Options::new();
    ///     if compared_with_copy {
    ///         options = options.accept_unsafe_shutdown();
    ///     }
    ///     // SAFETY: nothing else writes or truncates this file while the region is open.
    ///     unsafe { options.open(path) } // otherwise `Error::UnsafeShutdown`
    /// }
    /// # open("/mnt/pmem/counter", true)?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn accept_unsafe_shutdown(mut self) -> Self {
        self.unsafe_shutdown = true;
        self
    }

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
        super::open::open(path.as_ref(), self)
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
        super::create::create(path.as_ref(), len, root, self)
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
        let open = || super::open::open_file(OpenFile::open_entry(&entry, M::ACCESS, self)?, self);
        match open() {
            Err(Error::NotFound { .. }) => {}
            // A device that was never used, or was being made into a region when the power failed: the magic
            // comes last. Anything else on a device may be wanted.
            Err(Error::NotARegion { found, .. })
                if found.iter().all(|&byte| byte == 0) && super::create::is_device(&entry) => {}
            other => return other,
        }
        match super::create::create_at(entry.clone(), len, root(), self) {
            // Another process was faster.
            Err(Error::Exists { .. } | Error::DeviceInUse { .. }) => open(),
            other => other,
        }
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
        super::migrate::migrate(path.as_ref(), len, root, fill, self)
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
        let (layout, text) = create::plan::<R>(self.journal_words, 1);
        let len = region_len(len, layout.min_len())?;
        let medium = Emulated::new(len, self.reserve(len))?;
        let engine = create::build(&medium, layout, &text, root, Location::caller())?;
        Ok(Region::new_parts(medium, engine, false))
    }

    pub(crate) fn check(&self) -> Result<()> {
        Layout::check_journal_words(self.journal_words)?;
        if self.domain == Some(PersistenceDomain::CpuCache) {
            return Err(Error::BadOption {
                option: "assume_persistence_domain",
                reason: "that CPU caches survive a power failure is believed from sysfs only; give MemoryController",
            });
        }
        if self.max_len.is_some_and(|len| len > MAX_LEN) {
            return Err(Error::BadOption {
                option: "max_len",
                reason: "a region has less than 1 TiB (at most 1 TiB less 1 MiB); give less",
            });
        }
        Ok(())
    }

    /// Bytes of address space for a file of `len` bytes.
    pub(crate) fn reserve(&self, len: usize) -> usize {
        let wanted = self.max_len.unwrap_or(DEFAULT_RESERVE);
        usize::try_from(wanted).unwrap_or(usize::MAX).max(len)
    }

    pub(crate) fn assumed_domain(&self) -> Option<PersistenceDomain> {
        self.domain
    }

    pub(crate) fn memory_file_system_allowed(&self, name: MemoryFileSystem) -> bool {
        self.memory_file_systems.contains(&name)
    }

    pub(crate) fn bad_blocks_allowed(&self) -> bool {
        self.bad_blocks
    }

    pub(crate) fn unsafe_shutdown_accepted(&self) -> bool {
        self.unsafe_shutdown
    }

    pub(crate) fn file_mode(&self) -> u32 {
        self.mode & 0o777
    }

    pub(crate) fn world_writable_allowed(&self) -> bool {
        self.world_writable
    }

    pub(crate) fn other_owner_allowed(&self) -> bool {
        self.other_owner
    }

    pub(crate) fn kept_old(&self) -> Option<&Path> {
        self.keep_old.as_deref()
    }

    pub(crate) fn journal(&self) -> usize {
        self.journal_words
    }
}

/// A length that a region can have: whole pages, at least `needed`, at most [`MAX_LEN`].
pub(crate) fn region_len(len: u64, needed: usize) -> Result<usize> {
    let pages = len & !(heap::PAGE as u64 - 1);
    if pages < needed as u64 {
        return Err(Error::TooSmall { len, needed: needed as u64 });
    }
    if pages > MAX_LEN {
        return Err(Error::TooLarge { len, most: MAX_LEN });
    }
    Ok(pages as usize)
}
