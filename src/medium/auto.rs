//! [`Auto`]: persistent memory where there is some, a file on the disk elsewhere.

use super::*;
use std::fmt;

/// [`MapSync`] where it is granted, else [`PageCache`].
///
/// It falls back when `MapSync` is *not granted* only: no `MAP_SYNC`, no persistence domain, no flush
/// instruction. A lock, a size or an I/O error stays an error, and so does a device-DAX device, which has no
/// page cache to fall back to.
///
/// ```
/// # use indelible::{Persistent, Region, Word, medium::Auto};
/// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
/// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
/// # let path = folder.path().join("counter.pm");
/// # let zero = || Counter { hits: Word::new(0) };
/// // SAFETY: nothing else writes or truncates this file while the region is open.
/// let region: Region<_, Auto> = unsafe { Region::open_or_create(&path, 1 << 20, zero)? };
/// match region.medium() {
///     Auto::MapSync(memory) => println!("persistent memory, flushed with {}", memory.flush_instruction().name()),
///     Auto::PageCache(_) => println!("a file on a disk: a commit waits for it"),
/// }
/// # Ok::<(), indelible::Error>(())
/// ```
#[derive(Debug)]
pub enum Auto {
    /// `MAP_SYNC` was granted.
    MapSync(MapSync),
    /// It was not.
    PageCache(PageCache),
}

macro_rules! each {
    ($auto:expr, $medium:ident => $call:expr) => {
        match $auto {
            Auto::MapSync($medium) => $call,
            Auto::PageCache($medium) => $call,
        }
    };
}

impl fmt::Display for Auto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(self, medium => medium.fmt(f))
    }
}

impl Medium for Auto {}
impl Writable for Auto {}
impl FileMedium for Auto {}

impl Observe for Auto {}

impl MediumImpl for Auto {
    #[inline(always)]
    fn map(&self) -> &Map {
        each!(self, medium => medium.map())
    }
    fn path(&self) -> &Path {
        each!(self, medium => medium.path())
    }
    fn max_len(&self) -> usize {
        each!(self, medium => medium.max_len())
    }
    #[inline]
    fn flush(&self, at: *const u8, len: usize, origin: Origin) {
        each!(self, medium => medium.flush(at, len, origin))
    }
    #[inline(always)]
    fn flush_line(&self, at: *const u8, origin: Origin) {
        each!(self, medium => medium.flush_line(at, origin))
    }
    #[inline]
    fn fence(&self, origin: Origin) -> Result<()> {
        each!(self, medium => medium.fence(origin))
    }
    #[inline(always)]
    fn hash_at_most(&self) -> usize {
        each!(self, medium => medium.hash_at_most())
    }
    fn stream_object(&self, start: *mut u8, before: usize, bytes: &[u8], origin: Origin) -> Result<()> {
        each!(self, medium => medium.stream_object(start, before, bytes, origin))
    }
    #[inline]
    fn copy_persist(&self, to: &mut [u8], bytes: &[u8], route: Route, origin: Origin) -> Result<()> {
        each!(self, medium => medium.copy_persist(to, bytes, route, origin))
    }
    fn check(&self) -> Result<()> {
        each!(self, medium => medium.check())
    }
    fn grow(&self, len: usize) -> Result<()> {
        each!(self, medium => medium.grow(len))
    }
    fn allocate(&self) -> Result<()> {
        each!(self, medium => medium.allocate())
    }
    fn shutdowns(&self) -> Option<Shutdowns> {
        each!(self, medium => medium.shutdowns())
    }
    fn settle(&self, closed: Option<usize>) -> Result<bool> {
        each!(self, medium => medium.settle(closed))
    }
}

impl FileMediumImpl for Auto {
    // MapSync is not granted on any of those file systems.
    fn check_place(file: &OpenFile, len: usize, options: &FileOptions) -> Result<()> {
        PageCache::check_place(file, len, options)
    }

    fn attach(file: OpenFile, options: &FileOptions) -> Result<Self, Refused> {
        match MapSync::attach(file, options) {
            Ok(medium) => Ok(Auto::MapSync(medium)),
            Err(refused) if refused.not_granted() && !refused.file.device => {
                PageCache::attach(refused.file, options).map(Auto::PageCache)
            }
            Err(refused) => Err(refused),
        }
    }

    fn file(&self) -> &OpenFile {
        each!(self, medium => medium.file())
    }
}
