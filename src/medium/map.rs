//! [`Map`]: a region's memory, mapped once over all that it may grow to.
//!
//! A mapping of a file may reach beyond the file's end; the pages there become usable when the file grows (mmap(2)),
//! and so nothing is mapped again then. Where it begins is the kernel's choice, which is right for large pages
//! (Linux `thp_get_unmapped_area`) and for device DAX (`dax_get_unmapped_area`).
//!
//! # Safety
//!
//! `base` is the start of `reserved` bytes that are mapped for this value alone until it is dropped; the first `len` of
//! them can be read and written. Their provenance is exposed, because links are resolved by address. `load` and
//! `store` are atomic and checked against `len`, and so are free of data races and out-of-bounds accesses whatever
//! they are called with; that the words stored make sense to the types above is the business of `tx` and `region`.
#![allow(unsafe_code)]

use crate::error::{Error, Result};
use crate::flush::{Flusher, PAGE, Route};
use memmap2::{Advice, MmapOptions, MmapRaw};
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

#[derive(Debug)]
pub(crate) struct Map {
    base: NonNull<u8>,
    /// A multiple of [`PAGE`].
    len: AtomicUsize,
    reserved: usize,
    memory: Memory,
    /// The process that made it. A child of `fork` has no memory here, but may have other memory by now.
    process: u32,
}

/// What unmaps it.
#[derive(Debug)]
enum Memory {
    Mmap(ManuallyDrop<MmapRaw>),
    /// This module: memmap2 has no such mappings.
    Raw,
}

/// How a file is mapped (mmap(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// `MAP_SHARED_VALIDATE | MAP_SYNC`: the file system's own metadata is durable before a page can be written.
    Sync,
    /// `MAP_SHARED`.
    Shared,
    /// `MAP_PRIVATE`: what is stored stays in this process.
    Private,
}

/// Not formatted in [`Map::pointer`], where the offset would then have to lie in memory, and be stored there each time.
#[cold]
fn outside(at: usize) -> ! {
    panic!("offset {at:#x} is outside the region")
}

// SAFETY: the memory belongs to this value; `load` and `store` are atomic, and other accesses are `unsafe`.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

/// A mapping of the kernel's that memmap2 has no call for; at an address of the kernel's choice, so that it touches
/// nothing that exists.
fn mmap(len: usize, access: i32, flags: i32, fd: i32) -> io::Result<NonNull<u8>> {
    // SAFETY: a new mapping at an address of the kernel's choice. That nobody else writes or truncates the file is the
    // promise of whoever opened the region.
    match unsafe { libc::mmap(ptr::null_mut(), len, access, flags, fd, 0) } {
        libc::MAP_FAILED => Err(io::Error::last_os_error()),
        base => Ok(NonNull::new(base.cast()).expect("mmap gives no null")),
    }
}

impl Map {
    /// Zeroed memory of `len` bytes, which may grow to `reserved`.
    pub(crate) fn anonymous(len: usize, reserved: usize) -> Result<Self> {
        let refused = |source| Error::AddressSpace { len: reserved as u64, source };
        // Without access, so that a kernel that promises no more memory than it has (vm.overcommit_memory = 2) counts
        // only what is used.
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let base = mmap(reserved, libc::PROT_NONE, flags, -1).map_err(refused)?;
        let map = Self::on(base, 0, reserved, Memory::Raw).map_err(refused)?;
        map.grow_anonymous(len).map_err(|source| Error::AddressSpace { len: len as u64, source })?;
        Ok(map)
    }

    /// Lets `to` bytes of anonymous memory be used.
    pub(crate) fn grow_anonymous(&self, to: usize) -> io::Result<()> {
        self.check_growth(to);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: this value's own memory, which keeps its contents.
        match unsafe { libc::mprotect(self.base.as_ptr().cast(), to, access) } {
            0 => {
                self.len.store(to, Ordering::Release);
                Ok(())
            }
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The first `len` bytes of a file, which may grow to `reserved`.
    pub(crate) fn file(file: &File, len: usize, reserved: usize, sharing: Sharing) -> io::Result<Self> {
        let mut options = MmapOptions::new();
        options.len(reserved);
        let mmap = match sharing {
            Sharing::Shared => options.map_raw(file)?,
            Sharing::Private => {
                // Without this the kernel could count every byte of the file as memory that this process may need.
                options.no_reserve_swap();
                // SAFETY: nobody else writes or truncates the file, by the promise of whoever opened the region.
                unsafe { options.map_copy(file)? }.into()
            }
            Sharing::Sync => {
                let access = libc::PROT_READ | libc::PROT_WRITE;
                let base =
                    mmap(reserved, access, libc::MAP_SHARED_VALIDATE | libc::MAP_SYNC, file.as_raw_fd())?;
                return Self::on(base, len, reserved, Memory::Raw);
            }
        };
        let base = NonNull::new(mmap.as_mut_ptr()).expect("mmap gives no null");
        Self::on(base, len, reserved, Memory::Mmap(ManuallyDrop::new(mmap)))
    }

    fn on(base: NonNull<u8>, len: usize, reserved: usize, memory: Memory) -> io::Result<Self> {
        assert!(len <= reserved && len.is_multiple_of(PAGE));
        base.expose_provenance();
        let map = Map { base, len: AtomicUsize::new(len), reserved, memory, process: std::process::id() };
        map.advise(reserved, libc::MADV_DONTFORK, Advice::DontFork)?;
        Ok(map)
    }

    fn advise(&self, len: usize, number: i32, advice: Advice) -> io::Result<()> {
        match &self.memory {
            Memory::Mmap(mmap) => mmap.advise_range(advice, 0, len),
            // SAFETY: this value's own memory; neither of the two that are asked for changes its contents.
            Memory::Raw => match unsafe { libc::madvise(self.base.as_ptr().cast(), len, number) } {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            },
        }
    }

    /// Asks for large pages for all that may be used (madvise(2), `MADV_HUGEPAGE`). A kernel that has none refuses,
    /// which is as good.
    pub(crate) fn prefer_large_pages(&self) {
        let _ = self.advise(self.len(), libc::MADV_HUGEPAGE, Advice::HugePage);
    }

    /// Lets `to` bytes be used of a file that is as long by now.
    pub(crate) fn grow_file(&self, to: usize) {
        self.check_growth(to);
        self.len.store(to, Ordering::Release);
    }

    fn check_growth(&self, to: usize) {
        assert!(self.len() <= to && to <= self.reserved && to.is_multiple_of(PAGE));
    }

    /// The process that has this memory.
    pub(crate) fn process(&self) -> u32 {
        self.process
    }

    /// Bytes that may be used.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// Bytes that are mapped: how far it may grow.
    pub(crate) fn reserved(&self) -> usize {
        self.reserved
    }

    /// Address of the first byte.
    #[inline]
    pub(crate) fn address(&self) -> usize {
        self.base.addr().get()
    }

    /// The offset of an address, if the `len` bytes there are inside.
    #[inline]
    pub(crate) fn offset_of(&self, address: usize, len: usize) -> Option<usize> {
        let at = address.wrapping_sub(self.address());
        (at <= self.len() && len <= self.len() - at).then_some(at)
    }

    /// A pointer to the byte at this offset.
    #[inline]
    pub(crate) fn pointer(&self, at: usize) -> NonNull<u8> {
        if at > self.len() {
            outside(at);
        }
        // SAFETY: inside the mapping, as was just checked.
        unsafe { self.base.add(at) }
    }

    #[inline]
    fn word(&self, at: usize) -> &AtomicU64 {
        // The length is a multiple of 8 too, so that all of the word is inside.
        assert!(at.is_multiple_of(8) && at < self.len());
        // SAFETY: eight mapped bytes at an aligned address (`base` is page-aligned). They may also be part
        // of a `Link` or `Word`, which are atomic too, or of memory that nothing refers to.
        unsafe { AtomicU64::from_ptr(self.base.as_ptr().wrapping_add(at).cast()) }
    }

    /// The word at this offset.
    #[inline]
    pub(crate) fn load(&self, at: usize) -> u64 {
        self.word(at).load(Ordering::Relaxed)
    }

    /// Changes the word at this offset, whole.
    #[inline]
    pub(crate) fn store(&self, at: usize, value: u64) {
        self.word(at).store(value, Ordering::Relaxed);
    }

    /// Changes words from this offset on, each whole, to these bytes; the last one is filled up with zeros.
    #[inline]
    pub(crate) fn store_bytes(&self, at: usize, bytes: &[u8]) {
        let end = at.checked_add(bytes.len());
        assert!(at.is_multiple_of(8) && end.is_some_and(|end| end <= self.len()));
        let (words, rest) = bytes.as_chunks();
        let start = self.base.as_ptr().wrapping_add(at);
        for (index, &word) in words.iter().enumerate() {
            let place = start.wrapping_add(index * 8);
            // SAFETY: as for `word`; all of them were checked at once.
            unsafe { AtomicU64::from_ptr(place.cast()) }.store(u64::from_ne_bytes(word), Ordering::Relaxed);
        }
        if !rest.is_empty() {
            self.store(at + words.len() * 8, Map::word_of(rest));
        }
    }

    /// Up to eight bytes as a word, filled up with zeros.
    #[inline]
    pub(crate) fn word_of(bytes: &[u8]) -> u64 {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_ne_bytes(word)
    }

    /// The bytes at this offset.
    ///
    /// # Safety
    ///
    /// Nothing writes to them while they are borrowed.
    pub(crate) unsafe fn bytes(&self, at: usize, len: usize) -> &[u8] {
        assert!(at.checked_add(len).is_some_and(|end| end <= self.len()));
        // SAFETY: mapped, initialised (a file's bytes, or zero), and not written by the caller's promise.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().wrapping_add(at), len) }
    }

    /// `msync(MS_SYNC)` of the kernel's pages that hold these bytes.
    pub(crate) fn sync(&self, at: usize, len: usize) -> io::Result<()> {
        assert!(at.checked_add(len).is_some_and(|end| end <= self.len()));
        match &self.memory {
            Memory::Mmap(mmap) => mmap.flush_range(at, len),
            Memory::Raw => unreachable!("only the page cache is synced"),
        }
    }

    /// Copies bytes to the place `before` bytes behind `start`. All of it is the caller's: nothing refers to it.
    pub(crate) fn write_behind(&self, start: *mut u8, before: usize, bytes: &[u8]) {
        assert!(self.offset_of(start.addr(), before + bytes.len()).is_some());
        // SAFETY: inside the mapping, as was just checked, and the caller's, so that the source does not overlap it.
        unsafe { start.wrapping_add(before).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    /// As [`Map::write_behind`], past the cache where that is faster; everything from `start` on is durable on return.
    pub(crate) fn stream_behind(&self, flusher: Flusher, start: *mut u8, before: usize, bytes: &[u8]) {
        assert!(self.offset_of(start.addr(), before + bytes.len()).is_some());
        // SAFETY: as above.
        unsafe { flusher.copy_persist_raw(start, before, bytes, Route::Fastest) };
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            return; // a child of `fork`
        }
        match &mut self.memory {
            // SAFETY: it is not used any more.
            Memory::Mmap(mmap) => unsafe { ManuallyDrop::drop(mmap) },
            Memory::Raw => {
                // SAFETY: the mapping belongs to this value, and every reference into it borrows it or what owns it.
                // It can't fail for a range that was mapped.
                let _ = unsafe { libc::munmap(self.base.as_ptr().cast(), self.reserved) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_grows_is_used_where_it_is_mapped() {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(3 * PAGE as u64).expect("room");
        let map = Map::file(&file, 3 * PAGE, 32 * PAGE, Sharing::Shared).expect("it is mapped");
        let address = map.address();
        // Lengths that end inside a large page of the kernel's too, where it has those.
        for pages in [3, 5, 16, 17, 32] {
            file.set_len((pages * PAGE) as u64).expect("room");
            map.grow_file(pages * PAGE);
            assert_eq!((map.len(), map.address()), (pages * PAGE, address));
            map.store((pages - 1) * PAGE, pages as u64);
        }
        for pages in [3, 5, 16, 17, 32] {
            assert_eq!(map.load((pages - 1) * PAGE), pages as u64);
            map.sync((pages - 1) * PAGE, PAGE).expect("the address is a multiple of the page");
        }
    }

    #[test]
    fn a_word_outside_or_across_a_boundary_is_refused() {
        let map = Map::anonymous(2 * PAGE, 4 * PAGE).expect("memory");
        map.store(2 * PAGE - 8, 1);
        // What is behind the length can't be used yet.
        for at in [2 * PAGE, 3 * PAGE, 4, 2 * PAGE - 4, usize::MAX - 7] {
            let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| map.load(at)));
            assert!(refused.is_err(), "{at:#x}");
        }
    }

    #[test]
    fn anonymous_memory_that_grows_keeps_what_is_there() {
        let map = Map::anonymous(16 * PAGE, 32 * PAGE).expect("memory");
        map.store(15 * PAGE, 16);
        for pages in [17, 32] {
            map.grow_anonymous(pages * PAGE).expect("memory");
            map.store((pages - 1) * PAGE, pages as u64);
        }
        assert_eq!([16, 17, 32].map(|pages| map.load((pages - 1) * PAGE)), [16, 17, 32]);
    }
}
