//! [`Emulated`]: anonymous memory with the instructions of persistent memory.

use super::*;
use crate::flush::{self, Flusher};
use std::fmt;

/// Anonymous memory, with the same flushes and fences as [`MapSync`]. For tests and measurements: it
/// survives nothing. Making a region in it is safe.
///
/// The kernel is asked for large pages (transparent huge pages), as it maps a file on persistent memory in large pages
/// where it can. A page of a region of 2 MiB and more may take 2 MiB of memory, then, when it is first touched.
///
/// ```
/// # use indelible::{Region, Word};
/// let region = Region::new(1 << 20, Word::new(5))?; // Region<Word<i32>, Emulated>
/// println!("{}", region.medium().flush_instruction().name()); // clwb, where the CPU has it
/// # Ok::<(), indelible::Error>(())
/// ```
#[derive(Debug)]
pub struct Emulated {
    map: Map,
    flusher: Flusher,
}

impl Emulated {
    pub(crate) fn new(len: usize, max_len: usize) -> Result<Self> {
        let map = Map::anonymous(len, max_len)?;
        map.prefer_large_pages();
        Ok(Emulated { map, flusher: Flusher::detect()? })
    }

    /// The instruction in use.
    pub fn flush_instruction(&self) -> Instruction {
        self.flusher.instruction()
    }
}

impl fmt::Display for Emulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Emulated (anonymous memory, {})", self.flusher.instruction().name())
    }
}

impl Medium for Emulated {}
impl Writable for Emulated {}

impl Observe for Emulated {}

impl MediumImpl for Emulated {
    #[inline(always)]
    fn map(&self) -> &Map {
        &self.map
    }

    fn path(&self) -> &Path {
        Path::new("(emulated)")
    }

    fn max_len(&self) -> usize {
        self.map.reserved()
    }

    #[inline]
    fn flush(&self, at: *const u8, len: usize, _: Origin) {
        self.flusher.range(at, len);
    }

    #[inline(always)]
    fn flush_line(&self, at: *const u8, _: Origin) {
        self.flusher.line(at);
    }

    #[inline(always)]
    fn hash_at_most(&self) -> usize {
        self.flusher.hash_at_most()
    }

    #[inline(always)]
    fn fence(&self, _: Origin) -> Result<()> {
        flush::fence();
        Ok(())
    }

    fn stream_object(&self, start: *mut u8, before: usize, bytes: &[u8], _: Origin) -> Result<()> {
        self.map.stream_behind(self.flusher, start, before, bytes);
        Ok(())
    }

    #[inline]
    fn copy_persist(&self, to: &mut [u8], bytes: &[u8], route: Route, _: Origin) -> Result<()> {
        self.flusher.copy_persist(to, bytes, route);
        Ok(())
    }

    fn grow(&self, len: usize) -> Result<()> {
        self.map.grow_anonymous(len).map_err(|source| Error::AddressSpace { len: len as u64, source })?;
        self.map.prefer_large_pages();
        Ok(())
    }

    fn settle(&self, _: Option<usize>) -> Result<bool> {
        Ok(false)
    }
}
