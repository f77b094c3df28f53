//! [`PageCache`]: an ordinary file on a disk, made durable with `msync`.

use super::file::MapError;
use super::*;
use crate::medium::map::PAGE;
use crate::region::layout::IN_USE;
use rustix::mm::MapFlags;
use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

/// A file on a disk file system, in the page cache. A flush notes the pages, a fence writes them out with
/// `msync(MS_SYNC)`, which also makes the file system's metadata for them durable (msync(2)).
///
/// The noted pages belong to the region, not to a thread. A write-back that fails poisons the region for
/// good, because the kernel may have marked the pages clean all the same (fsync(2), "NOTES" of Linux 4.13
/// and later).
///
/// ```
/// # use indelible::{Persistent, Region, Word, medium::PageCache};
/// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
/// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
/// # let path = folder.path().join("counter.pm");
/// // SAFETY: nothing else writes or truncates this file while the region is open.
/// let mut region: Region<_, PageCache> = unsafe { Region::create(&path, 1 << 20, Counter { hits: Word::new(0) })? };
/// region.transact(|tx, counter| Ok(tx.store(&counter.hits, 1)))?; // waits for the disk
/// # Ok::<(), indelible::Error>(())
/// ```
#[derive(Debug)]
pub struct PageCache {
    file: OpenFile,
    map: Map,
    noted: Mutex<Vec<Range<usize>>>,
    failed: OnceLock<String>,
}

impl PageCache {
    fn note(&self, at: usize, len: usize) {
        let start = (at - self.map.address()) & !(PAGE - 1);
        let end = (at - self.map.address() + len).next_multiple_of(PAGE);
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        match noted.last_mut() {
            Some(last) if start >= last.start && start <= last.end => last.end = last.end.max(end),
            _ => noted.push(start..end),
        }
    }

    fn fail(&self, reason: String) -> Error {
        let reason = self.failed.get_or_init(|| reason).clone();
        Error::Poisoned { reason }
    }
}

impl fmt::Display for PageCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageCache (MAP_SHARED, msync)")
    }
}

impl Medium for PageCache {}
impl Writable for PageCache {}
impl FileMedium for PageCache {}

impl MediumImpl for PageCache {
    #[inline(always)]
    fn map(&self) -> &Map {
        &self.map
    }

    fn path(&self) -> &Path {
        &self.file.path
    }

    fn max_len(&self) -> usize {
        self.map.reserved()
    }

    fn flush(&self, at: *const u8, len: usize, _: Origin) {
        if len > 0 {
            self.note(at.addr(), len);
        }
    }

    fn fence(&self, _: Origin) -> Result<()> {
        // Held to the end: ranges that another thread has taken to sync are durable when it has done so, and
        // not before.
        let mut lock = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        self.check()?;
        let mut noted = std::mem::take(&mut *lock);
        noted.sort_unstable_by_key(|range| range.start);
        let mut ranges = noted.into_iter().peekable();
        while let Some(mut range) = ranges.next() {
            while let Some(next) = ranges.next_if(|next| next.start <= range.end) {
                range.end = range.end.max(next.end);
            }
            let end = range.end.min(self.map.len());
            self.map
                .sync(range.start, end - range.start)
                .map_err(|error| self.fail(format!("msync: {error}")))?;
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        match self.failed.get() {
            Some(reason) => Err(Error::Poisoned { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    fn grow(&self, len: usize) -> Result<()> {
        match self.file.grow(&self.map, len, MapFlags::SHARED) {
            Err(Error::Poisoned { reason }) => Err(self.fail(reason)),
            other => other,
        }
    }

    fn allocate(&self) -> Result<()> {
        self.file.fill(self.map.len())
    }

    fn settle(&self) -> Result<bool> {
        self.file.sync()?;
        if self.file.word(IN_USE)? != 0 {
            // A write-back may have failed when the region was open last. The pages are clean then and hold what
            // the device does not (fsync(2), "NOTES"): nothing would ever write them again. No page is mapped yet.
            self.file.forget_cache()?;
        }
        Ok(true)
    }
}

impl FileMediumImpl for PageCache {
    fn attach(file: OpenFile, options: &Options) -> Result<Self, Refused> {
        let result = (|| {
            if file.device {
                return Err(Error::Unsupported {
                    path: file.path.clone(),
                    what: "a device-DAX device has no page cache; use `MapSync`",
                });
            }
            if let Some(found) = file.memory_file_system()?
                && !options.memory_file_system_allowed(found)
            {
                let name = match found {
                    MemoryFileSystem::Tmpfs => "tmpfs",
                    MemoryFileSystem::Ramfs => "ramfs",
                    MemoryFileSystem::Hugetlbfs => "hugetlbfs",
                };
                return Err(Error::MemoryFileSystem { path: file.path.clone(), name });
            }
            match file.map(options.reserve(file.len), MapFlags::SHARED) {
                Ok(map) => Ok(map),
                Err(MapError::NotSupported) => Err(Error::Unsupported {
                    path: file.path.clone(),
                    what: "the file system can't map files; use another",
                }),
                Err(MapError::Other(error)) => Err(error),
            }
        })();
        match result {
            Ok(map) => Ok(PageCache { file, map, noted: Mutex::default(), failed: OnceLock::new() }),
            Err(error) => Err(Refused { error, file }),
        }
    }

    fn file(&self) -> &OpenFile {
        &self.file
    }
}
