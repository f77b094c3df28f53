//! [`Snapshot`]: a region file that is read and never changed.

use super::file::MapError;
use super::map::Sharing;
use super::*;
use std::fmt;

/// A region file for reading only, for backups and inspection: no byte of it changes, nor its size or its
/// time of modification.
///
/// The file is opened for reading and mapped with `MAP_PRIVATE` (mmap(2)): recovery works as in
/// [`Region::open`](crate::Region::open), but what it replays stays in this process's memory. So a region that
/// was not closed is shown as its next writer will find it, and has to be recovered by that writer still.
/// Neither write access to the file nor a file system that can be written is needed.
///
/// The lock is shared: any number of snapshots may have a file open, and none beside a writer
/// ([`Error::Locked`]). Device DAX refuses private mappings, and so is no place for a snapshot
/// ([`Error::Unsupported`]).
///
/// What a snapshot shows is what is *visible*. Where the last writer was killed, some of it may not be durable:
/// whoever opens the region for writing makes it so, a snapshot doesn't.
///
/// ```
/// use indelible::{Persistent, Region, Word, medium::{PageCache, Snapshot}};
///
/// #[derive(Persistent)]
/// #[repr(C)]
/// struct Counter { hits: Word<u64> }
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("counter");
/// # let options = indelible::Options::new().allow_memory_file_system(indelible::medium::MemoryFileSystem::Tmpfs);
/// # unsafe { options.create::<_, PageCache>(&path, 1 << 20, Counter { hits: Word::new(7) })? };
/// // SAFETY: nothing else writes or truncates this file while the snapshot is open.
/// let counter = unsafe { Region::<Counter, Snapshot>::open(&path)? };
/// assert_eq!(counter.root().hits.get(), 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Snapshot {
    file: OpenFile,
    map: Map,
}

impl Snapshot {
    /// The file, locked as before, and no longer mapped.
    pub(crate) fn into_file(self) -> OpenFile {
        self.file
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot (MAP_PRIVATE)")
    }
}

impl Medium for Snapshot {}
impl FileMedium for Snapshot {}

impl Observe for Snapshot {}

impl MediumImpl for Snapshot {
    #[inline(always)]
    fn map(&self) -> &Map {
        &self.map
    }

    fn path(&self) -> &Path {
        &self.file.path
    }

    fn max_len(&self) -> usize {
        self.map.len()
    }

    // What is stored is private, and nothing of it is ever durable.
    fn flush(&self, _: *const u8, _: usize, _: Origin) {}

    fn fence(&self, _: Origin) -> Result<()> {
        Ok(())
    }

    fn grow(&self, _: usize) -> Result<()> {
        Err(Error::Unsupported { path: self.file.path.clone(), what: "a snapshot doesn't grow" })
    }

    // What the memory lost is missing here too.
    fn shutdowns(&self) -> Option<Shutdowns> {
        self.file.shutdowns()
    }

    fn settle(&self, _: Option<usize>) -> Result<bool> {
        Ok(true)
    }
}

impl FileMediumImpl for Snapshot {
    const ACCESS: Access = Access::Read;

    fn attach(file: OpenFile, _: &FileOptions) -> Result<Self, Refused> {
        let unsupported = |what| Error::Unsupported { path: file.path.clone(), what };
        if file.device {
            let error = unsupported(
                "device DAX has no private mappings, so that a region there can't be read without changing it; copy the device to a file and open that, or open the device with `MapSync`",
            );
            return Err(Refused { error, file });
        }
        match file.map(file.len, Sharing::Private) {
            Ok(map) => Ok(Snapshot { file, map }),
            Err(MapError::NotSupported) => {
                let error = unsupported("the file system can't map files; copy the file to another");
                Err(Refused { error, file })
            }
            Err(MapError::Other(error)) => Err(Refused { error, file }),
        }
    }

    fn file(&self) -> &OpenFile {
        &self.file
    }
}
