//! [`Options`]: how a region is opened or created.

use crate::error::{Error, Result};
use crate::format::layout::{Layout, MAX_LEN};
use crate::medium::{FileOptions, MemoryFileSystem, PersistenceDomain};
use std::path::{Path, PathBuf};

/// How a region is opened or created. The defaults are those of [`Region::open`](crate::Region::open) and [`Region::create`](crate::Region::create).
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
    file: FileOptions,
    journal_words: usize,
    keep_old: Option<PathBuf>,
    unsafe_shutdown: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { file: FileOptions::default(), journal_words: 1024, keep_old: None, unsafe_shutdown: false }
    }
}

impl Options {
    /// The defaults: what [`Region::open`](crate::Region::open) and [`Region::create`](crate::Region::create) take.
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
        self.file.max_len = Some(bytes);
        self
    }

    /// Permission bits of a new file, before the umask; `0o600` by default.
    pub fn mode(mut self, mode: u32) -> Self {
        self.file.mode = mode & 0o777;
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
        self.file.domain = Some(domain);
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
        self.file.memory_file_systems.push(name);
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
        self.file.world_writable = true;
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
        self.file.other_owner = true;
        self
    }

    /// Lets [`Region::migrate`](crate::Region::migrate) keep the old file under this name, which must be free and on the same file
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
        self.file.bad_blocks = true;
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

    pub(crate) fn check(&self) -> Result<()> {
        Layout::check_journal_words(self.journal_words)?;
        if self.file.domain == Some(PersistenceDomain::CpuCache) {
            return Err(Error::BadOption {
                option: "assume_persistence_domain",
                reason: "that CPU caches survive a power failure is believed from sysfs only; give MemoryController",
            });
        }
        if self.file.max_len.is_some_and(|len| len > MAX_LEN) {
            return Err(Error::BadOption {
                option: "max_len",
                reason: "a region has less than 1 TiB (at most 1 TiB less 1 MiB); give less",
            });
        }
        Ok(())
    }

    /// What media and files are told.
    pub(crate) fn file(&self) -> &FileOptions {
        &self.file
    }

    pub(crate) fn unsafe_shutdown_accepted(&self) -> bool {
        self.unsafe_shutdown
    }

    pub(crate) fn kept_old(&self) -> Option<&Path> {
        self.keep_old.as_deref()
    }

    pub(crate) fn journal(&self) -> usize {
        self.journal_words
    }
}
