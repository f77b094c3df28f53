//! Opening and making the file under a mapping.
//!
//! # Safety
//!
//! That nobody else writes to or truncates the file is the promise of whoever opens it.
#![allow(unsafe_code)]

use super::Mapping;
use crate::error::{Error, Result};
use crate::flush::PAGE;
use crate::medium::{Entry, FileMedium, Medium, OpenFile, Unnamed, Writable, is_device, same_file};
use crate::observe::Origin;
use crate::options::Options;
use std::panic::Location;
use std::path::Path;

/// The longest mapping, in bytes: half of what x86-64 and aarch64 give a process (Linux
/// `Documentation/arch/x86/x86_64/mm.rst`, `Documentation/arch/arm64/memory.rst`).
const MOST: u64 = 1 << 46;

impl<M: FileMedium + Writable> Mapping<M> {
    /// Maps the file (or device-DAX device) at `path`, which must exist, whole. Its contents are the caller's
    /// business; nothing in it is believed, and only holes are filled with zeroed blocks.
    ///
    /// The file is locked (`flock`) until the mapping is closed or dropped. On return everything in it is
    /// durable: what a process that was killed left visible might not have been, and so the file is synced; a
    /// device has no `fsync`, and there every line is flushed, which takes as long as reading it.
    ///
    /// # Safety
    ///
    /// As long as the mapping is open nothing else writes to or truncates the file: other programs of this crate
    /// are kept out by the lock, but the kernel has no means against the rest.
    ///
    /// # Errors
    ///
    /// [`Error::BadMappingLength`] if the file is empty or ends within a page, and those of
    /// [`Region::open`](crate::Region::open) that concern path, file and medium.
    ///
    /// ```
    /// # use indelible::{mapping::Mapping, medium::PageCache};
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("records");
    /// # unsafe { Mapping::<PageCache>::create(&path, 8192, |_| Ok(()))? }.close()?;
    /// // SAFETY: nothing else writes or truncates this file while the mapping is open.
    /// let mapping = unsafe { Mapping::<PageCache>::open(&path)? };
    /// // What is there may be anything: look before you believe it.
    /// let has_magic = mapping.bytes().starts_with(b"RECORDS1");
    /// # assert!(!has_magic);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub unsafe fn open(path: impl AsRef<Path>) -> Result<Self> {
        // SAFETY: the caller's promise.
        unsafe { Options::new().open_mapping(path) }
    }

    /// Makes a file of `len` bytes at `path`, where nothing may be. `first` writes what it is to hold at first,
    /// into zeros; only then, whole and durable, the file gets its name. So nobody ever finds it half made.
    ///
    /// The file gets real blocks and mode `0o600` ([`Options::mode`]), and never another length. On return the
    /// file, its name and what `first` wrote are durable.
    ///
    /// # Safety
    ///
    /// As for [`Mapping::open`].
    ///
    /// # Errors
    ///
    /// [`Error::Exists`], [`Error::BadMappingLength`], [`Error::DiskFull`], those of the medium, and what `first`
    /// answers. No file is left behind. [`Error::Unsupported`] for a device: it is there already, so open it.
    ///
    /// # Panics
    ///
    /// When `first` does, with the same consequence, and if it exchanges the mapping that it is given for another.
    ///
    /// ```
    /// # use indelible::{mapping::Mapping, medium::PageCache};
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("records");
    /// // SAFETY: nothing else writes or truncates this file while the mapping is open.
    /// let mapping = unsafe {
    ///     Mapping::<PageCache>::create(&path, 8192, |mapping| {
    ///         mapping.part(0..8)?.write().copy_from_slice(b"RECORDS1"); // the file is synced before it has a name
    ///         Ok(())
    ///     })?
    /// };
    /// assert!(mapping.bytes().starts_with(b"RECORDS1"));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub unsafe fn create(
        path: impl AsRef<Path>,
        len: u64,
        first: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<Self> {
        // SAFETY: the caller's promise.
        unsafe { Options::new().create_mapping(path, len, first) }
    }
}

impl Options {
    /// As [`Mapping::open`], with these options; those that concern the heap and the journal mean nothing here.
    ///
    /// # Safety
    ///
    /// As for [`Mapping::open`].
    ///
    /// # Errors
    ///
    /// As for [`Mapping::open`], and [`Error::BadOption`].
    ///
    /// ```no_run
    /// # use indelible::{Options, mapping::Mapping, medium::MapSync};
    /// // SAFETY: nothing else writes or truncates this file while the mapping is open.
    /// let mapping: Mapping<MapSync> = unsafe { Options::new().allow_bad_blocks().open_mapping("/mnt/pmem/records")? };
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub unsafe fn open_mapping<M: FileMedium + Writable>(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<Mapping<M>> {
        self.check()?;
        let file = OpenFile::open(path.as_ref(), M::ACCESS, self.file())?;
        check_len(file.exact_len)?;
        file.check_bad_blocks(self.file())?;
        let medium = M::attach(file, &self.file().exactly()).map_err(|refused| refused.error)?;
        medium.allocate()?;
        settle(&medium, Location::caller())?;
        Ok(Mapping::on(medium))
    }

    /// As [`Mapping::create`], with these options; those that concern the heap and the journal mean nothing here.
    ///
    /// # Safety
    ///
    /// As for [`Mapping::create`].
    ///
    /// # Errors
    ///
    /// As for [`Mapping::create`], and [`Error::BadOption`].
    ///
    /// ```
    /// # use indelible::{Options, mapping::Mapping, medium::PageCache};
    /// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
    /// # let path = folder.path().join("records");
    /// // SAFETY: nothing else writes or truncates this file while the mapping is open.
    /// let mapping: Mapping<PageCache> = unsafe { Options::new().mode(0o640).create_mapping(&path, 8192, |_| Ok(()))? };
    /// assert_eq!(mapping.len(), 8192);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub unsafe fn create_mapping<M: FileMedium + Writable>(
        &self,
        path: impl AsRef<Path>,
        len: u64,
        first: impl FnOnce(&mut Mapping<M>) -> Result<()>,
    ) -> Result<Mapping<M>> {
        self.check()?;
        let len = check_len(len)?;
        // Looked up once: `first` may change the working directory.
        let entry = Entry::at(path.as_ref())?;
        if is_device(&entry) {
            return Err(Error::Unsupported {
                path: entry.path().to_path_buf(),
                what: "a device can't be made, it is there already; open it and write your format into it",
            });
        }
        let (unnamed, file) =
            Unnamed::create(entry, len, self.file().mode, |file| M::check_place(file, len, self.file()))?;
        file.check_bad_blocks(self.file())?;
        // Held, so that no other file can get its inode's number.
        let (stat, held) = (file.stat, file.hold()?);
        let medium = M::attach(file, &self.file().exactly()).map_err(|refused| refused.error)?;
        let mut mapping = Mapping::on(medium);
        first(&mut mapping)?;
        assert!(
            same_file(&mapping.medium().file().stat, &stat),
            "`first` exchanged the mapping for another one"
        );
        drop(held);
        // What `first` left unflushed too, also where the kernel's sync leaves it in the CPU's cache.
        settle(mapping.medium(), Location::caller())?;
        unnamed.name(mapping.medium().file())?;
        Ok(mapping)
    }
}

/// A length that a mapping can have.
pub(crate) fn check_len(len: u64) -> Result<usize> {
    match len {
        1..=MOST if len.is_multiple_of(PAGE as u64) => Ok(len as usize),
        _ => Err(Error::BadMappingLength { len, most: MOST }),
    }
}

/// Makes durable what an earlier process left visible.
#[track_caller]
pub(crate) fn settle<M: Medium>(medium: &M, origin: Origin) -> Result<()> {
    // No word of the file says that it was closed: all of it is the caller's.
    if !medium.settle(None)? {
        medium.flush_range(0, medium.map().len(), origin);
        medium.fence_at_open(origin)?;
    }
    Ok(())
}
