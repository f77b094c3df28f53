//! [`PageCache`]: an ordinary file on a disk, made durable with `msync`.

use super::calls::{self, Call};
use super::file::MapError;
use super::map::Sharing;
use super::*;
use crate::flush::PAGE;
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

/// The ranges in order, those that meet or overlap as one.
fn joined(mut ranges: Vec<Range<usize>>) -> impl Iterator<Item = Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut ranges = ranges.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut range = ranges.next()?;
        while let Some(next) = ranges.next_if(|next| next.start <= range.end) {
            range.end = range.end.max(next.end);
        }
        Some(range)
    })
}

impl fmt::Display for PageCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageCache (MAP_SHARED, msync)")
    }
}

impl Medium for PageCache {}
impl Writable for PageCache {}
impl FileMedium for PageCache {}

impl Observe for PageCache {}

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

    /// A hash of so much takes some 20 microseconds, a sync 60 and more.
    fn hash_at_most(&self) -> usize {
        1 << 18
    }

    fn fence(&self, _: Origin) -> Result<()> {
        // Held to the end: ranges that another thread has taken to sync are durable when it has done so, and
        // not before.
        let mut lock = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        self.check()?;
        for range in joined(std::mem::take(&mut *lock)) {
            let range = range.start..range.end.min(self.map.len());
            self.map.sync(range.start, range.len()).map_err(|error| self.fail(format!("msync: {error}")))?;
            calls::note(|| Call::Msync(range));
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
        match self.file.grow(&self.map, len) {
            Err(Error::Poisoned { reason }) => Err(self.fail(reason)),
            other => other,
        }
    }

    fn allocate(&self) -> Result<()> {
        self.file.fill(self.map.len())
    }

    fn settle(&self, closed: Option<usize>) -> Result<bool> {
        self.file.sync()?;
        let closed = match closed {
            Some(mark) => self.file.word(mark)? == 0,
            None => false,
        };
        if !closed {
            // A write-back may have failed when the file was open last. The pages are clean then and hold what the
            // device does not (fsync(2), "NOTES"): nothing would ever write them again. No page is in a mapping yet.
            self.file.forget_cache()?;
        }
        Ok(true)
    }
}

/// Refuses a file of `len` bytes on a file system in memory, where that is not allowed; and one that ends inside a
/// page of `hugetlbfs`, which has `page` bytes.
fn check_memory_file_system(
    path: &Path,
    found: MemoryFileSystem,
    len: usize,
    page: usize,
    options: &FileOptions,
) -> Result<()> {
    let path = path.to_path_buf();
    if !options.memory_file_systems.contains(&found) {
        let name = match found {
            MemoryFileSystem::Tmpfs => "tmpfs",
            MemoryFileSystem::Ramfs => "ramfs",
            MemoryFileSystem::Hugetlbfs => "hugetlbfs",
        };
        return Err(Error::MemoryFileSystem { path, name });
    }
    // The kernel lengthens such a file to whole huge pages (Linux fs/hugetlbfs/inode.c, `hugetlbfs_file_mmap`).
    if found == MemoryFileSystem::Hugetlbfs && !len.is_multiple_of(page) {
        return Err(Error::Unsupported {
            path,
            what: "hugetlbfs has whole huge pages only; make the file a multiple of its page long (2 MiB as a rule; `stat -f` shows it as the block size)",
        });
    }
    Ok(())
}

impl FileMediumImpl for PageCache {
    fn check_place(file: &OpenFile, len: usize, options: &FileOptions) -> Result<()> {
        match file.memory_file_system()? {
            Some(found) => {
                let page = usize::try_from(file.stat.st_blksize).unwrap_or(PAGE);
                check_memory_file_system(&file.path, found, len, page.max(PAGE), options)
            }
            None => Ok(()),
        }
    }

    fn attach(file: OpenFile, options: &FileOptions) -> Result<Self, Refused> {
        let result = (|| {
            if file.device {
                return Err(Error::Unsupported {
                    path: file.path.clone(),
                    what: "a device-DAX device has no page cache; use `MapSync`",
                });
            }
            Self::check_place(&file, file.len, options)?;
            let huge = file.memory_file_system()? == Some(MemoryFileSystem::Hugetlbfs);
            // It would have to grow by whole huge pages.
            let reserve = if huge { file.len } else { options.reserve(file.len) };
            match file.map(reserve, Sharing::Shared) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use proptest::prelude::*;
    use std::os::unix::fs::FileExt;
    use std::panic::Location;

    const PAGES: usize = 64;

    /// A medium on a file of its own, on the disk that cargo builds on.
    fn medium(bytes: &[u8]) -> (tempfile::TempDir, PageCache) {
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        let options = Options::new().max_len(0).allow_memory_file_system(MemoryFileSystem::Tmpfs);
        let file = OpenFile::open(&path, Access::Write, options.file()).unwrap();
        let Ok(medium) = PageCache::attach(file, options.file()) else { panic!("it can be mapped") };
        (folder, medium)
    }

    fn flush(medium: &PageCache, at: usize, len: usize) {
        medium.flush(medium.map.pointer(at).as_ptr(), len, Location::caller());
    }

    /// The ranges that a fence has the kernel write out.
    fn synced(medium: &PageCache) -> Vec<Range<usize>> {
        let (result, calls) = calls::during(|| medium.fence(Location::caller()));
        result.unwrap();
        let range = |call| match call {
            Call::Msync(range) => range,
            other => panic!("a fence asks for {other:?}"),
        };
        calls.into_iter().map(range).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_fence_syncs_each_page_that_was_flushed_once_and_no_other(
            flushes in prop::collection::vec((0..PAGES * PAGE, 0usize..5 * PAGE), 0..12)
        ) {
            let (_folder, medium) = medium(&vec![0; PAGES * PAGE]);
            let mut expected = vec![0; PAGES];
            for (at, len) in flushes {
                let len = len.min(PAGES * PAGE - at);
                flush(&medium, at, len);
                (at..at + len).for_each(|byte| expected[byte / PAGE] = 1);
            }
            let mut found = vec![0; PAGES];
            for range in synced(&medium) {
                prop_assert!(range.start.is_multiple_of(PAGE) && range.end.is_multiple_of(PAGE), "{range:?}");
                range.step_by(PAGE).for_each(|at| found[at / PAGE] += 1);
            }
            prop_assert_eq!(found, expected);
            prop_assert_eq!(synced(&medium), [], "what is durable is not synced again");
        }
    }

    /// Bytes of this mapping that are in memory and not on the device, as the kernel counts them
    /// (`Documentation/filesystems/proc.rst`, `smaps`: the pages that are dirty).
    fn dirty(medium: &PageCache) -> usize {
        let start = format!("{:x}-", medium.map.address());
        let text = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let ours = text.lines().skip_while(|line| !line.starts_with(&start)).skip(1);
        let ours = ours.take_while(|line| line.split(' ').next().is_some_and(|word| word.ends_with(':')));
        let sizes =
            ours.filter_map(|line| line.split_once("_Dirty:")?.1.trim().strip_suffix(" kB")?.parse().ok());
        sizes.map(|size: usize| size * 1024).sum()
    }

    /// Whether the kernel writes this file out at all.
    fn on_a_disk(medium: &PageCache) -> bool {
        let disk = medium.file.memory_file_system().unwrap().is_none();
        if !disk {
            eprintln!("not run: the file system is in memory");
        }
        disk
    }

    #[test]
    fn after_a_fence_the_kernel_has_no_page_left_to_write() {
        let (_folder, medium) = medium(&vec![0; PAGES * PAGE]);
        if !on_a_disk(&medium) {
            return;
        }
        let mut seen = 0;
        // Something else on this machine may have all files synced just then; not each time.
        for round in 1..=20 {
            for (first, pages) in [(8, 9), (40, 8), (10, 2), (44, 1), (0, 1)] {
                (first..first + pages).for_each(|page| medium.map.store(page * PAGE, round));
                flush(&medium, first * PAGE, pages * PAGE);
            }
            seen += dirty(&medium);
            medium.fence(Location::caller()).unwrap();
            assert_eq!(dirty(&medium), 0, "these were flushed and fenced");
        }
        assert!(seen >= PAGE, "nothing was dirty before the fence either");
    }

    /// What it asks of the kernel, for a file whose word at `1024` is this one.
    fn settled(word: u64, closed: Option<usize>) -> Vec<Call> {
        let mut bytes = vec![7; PAGES * PAGE];
        bytes[1024..1032].copy_from_slice(&word.to_le_bytes());
        let (_folder, medium) = medium(&bytes);
        let (result, calls) = calls::during(|| medium.settle(closed));
        assert!(result.unwrap());
        calls
    }

    #[test]
    fn a_file_is_synced_and_then_forgotten_unless_it_says_that_it_was_closed() {
        let sync = |calls: &[Call]| matches!(calls, [Call::Sync(_)]);
        let both = |calls: &[Call]| matches!(calls, [Call::Sync(one), Call::Forget(other)] if one == other);
        assert!(sync(&settled(0, Some(1024))), "closed");
        assert!(both(&settled(1, Some(1024))), "in use");
        // No word of a raw mapping means anything here.
        for word in [0, 1] {
            assert!(both(&settled(word, None)), "raw, {word}");
        }
    }

    #[test]
    fn what_an_earlier_process_left_in_memory_is_on_the_disk_when_it_is_settled() {
        const CLOSED: usize = (PAGES - 1) * PAGE;
        let (_folder, medium) = medium(&vec![0; PAGES * PAGE]);
        if !on_a_disk(&medium) {
            return;
        }
        let mut seen = 0;
        for round in 1..=20 {
            // As another process would have: not through this mapping, and not noted.
            medium.file.file.write_all_at(&[round; CLOSED], 0).unwrap();
            (0..CLOSED).step_by(PAGE).for_each(|at| assert_ne!(medium.map.load(at), 0));
            seen += dirty(&medium);
            // To forget it would start to write it out too, and not wait for it.
            assert!(medium.settle(Some(CLOSED)).unwrap());
            assert_eq!(dirty(&medium), 0, "it is written");
        }
        assert!(seen >= PAGE, "nothing was dirty before either");
    }

    /// A commit would publish objects in bytes that a power failure takes off the file's end.
    #[test]
    fn a_file_that_grew_is_synced() {
        let (folder, medium) = medium(&vec![0; PAGES * PAGE]);
        drop(medium);
        let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
        let file = OpenFile::open(&folder.path().join("file"), Access::Write, options.file()).unwrap();
        let Ok(medium) = PageCache::attach(file, options.file()) else { panic!("it can be mapped") };
        let (grown, calls) = calls::during(|| medium.grow(2 * PAGES * PAGE));
        grown.unwrap();
        assert_eq!(calls, [Call::Sync(medium.file.stat.st_ino)]);
    }

    /// Where a machine has huge pages only an administrator can mount them, so this is asked without a file.
    #[test]
    fn hugetlbfs_is_refused_for_what_it_is_and_not_for_what_it_lacks() {
        let huge = MemoryFileSystem::Hugetlbfs;
        let (default, allowed) = (Options::new(), Options::new().allow_memory_file_system(huge));
        let check = |len, options| check_memory_file_system(Path::new("x"), huge, len, 2 << 20, options);
        assert!(matches!(
            check(4 << 20, default.file()),
            Err(Error::MemoryFileSystem { name: "hugetlbfs", .. })
        ));
        assert!(check(4 << 20, allowed.file()).is_ok());
        let refused = check((4 << 20) + PAGE, allowed.file()).unwrap_err();
        assert!(matches!(refused, Error::Unsupported { .. }) && refused.to_string().contains("huge pages"));
    }
}
