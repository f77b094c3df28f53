//! [`FileOptions`]: what a medium is told about the file that it maps.

use super::{MemoryFileSystem, PersistenceDomain};

/// The part of [`Options`](crate::Options) that media and files read.
#[derive(Clone, Debug)]
pub(crate) struct FileOptions {
    /// How far the file may grow, in bytes.
    pub max_len: Option<u64>,
    /// Permission bits of a new file, before the umask.
    pub mode: u32,
    /// The domain that the caller vouches for.
    pub domain: Option<PersistenceDomain>,
    /// Those that [`PageCache`](super::PageCache) may use.
    pub memory_file_systems: Vec<MemoryFileSystem>,
    /// Open a file with bad blocks.
    pub bad_blocks: bool,
    /// Open a file that everybody may write to.
    pub world_writable: bool,
    /// Open a file that belongs to another user.
    pub other_owner: bool,
}

/// Address space for a file whose `max_len` is not given, in bytes.
const DEFAULT_RESERVE: u64 = 64 << 30;

impl Default for FileOptions {
    fn default() -> Self {
        FileOptions {
            max_len: None,
            mode: 0o600,
            domain: None,
            memory_file_systems: Vec::new(),
            bad_blocks: false,
            world_writable: false,
            other_owner: false,
        }
    }
}

impl FileOptions {
    /// The same, with address space for the file and no more: a mapping does not grow.
    pub(crate) fn exactly(&self) -> Self {
        FileOptions { max_len: Some(0), ..self.clone() }
    }

    /// Bytes of address space for a file of `len` bytes.
    pub(crate) fn reserve(&self, len: usize) -> usize {
        let wanted = self.max_len.unwrap_or(DEFAULT_RESERVE);
        usize::try_from(wanted).unwrap_or(usize::MAX).max(len)
    }
}
