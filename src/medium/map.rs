//! [`Map`]: reserved address space with the region's memory at its start.
//!
//! # Safety
//!
//! `base` is the start of `reserved` bytes of address space that belong to this value alone and stay until
//! it is dropped, but for those behind `len` once `torn` is set, which are never touched again; the first `len`
//! of them are mapped readable and writable. Their provenance is exposed, because links are resolved by
//! address. `load` and `store` are atomic and checked against `len`, and so are free of data races and
//! out-of-bounds accesses whatever they are called with; that the words stored make sense to the types above is
//! the business of `tx` and `region`.
#![allow(unsafe_code)]

use crate::error::{Error, Result};
use crate::flush::{Flusher, PAGE, Route};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, MremapFlags, MsyncFlags, ProtFlags};
use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Mappings begin at least at a multiple of this, so that the kernel can use huge pages.
pub(crate) const HUGE: usize = 2 << 20;

#[derive(Debug)]
pub(crate) struct Map {
    base: NonNull<u8>,
    /// A multiple of [`PAGE`].
    len: AtomicUsize,
    reserved: usize,
    /// Bytes in a page of the kernel's: what mmap(2) and msync(2) count in. At least [`PAGE`].
    page: usize,
    /// What lies behind `len` may be another's by now; see [`Map::mend`].
    torn: AtomicBool,
    /// What was reserved, before alignment.
    outer: (NonNull<u8>, usize),
    /// The process that made it. A child of `fork` has no memory here, but may have other memory by now.
    process: u32,
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

impl Map {
    /// Address space for `reserved` bytes, nothing of it usable yet.
    pub(crate) fn reserve(reserved: usize) -> Result<Self> {
        Self::reserve_aligned(reserved, HUGE)
    }

    /// The same, from a multiple of `align`, a power of two of at least a page.
    pub(crate) fn reserve_aligned(reserved: usize, align: usize) -> Result<Self> {
        Self::reserve_in_pages(reserved, align, rustix::param::page_size().max(PAGE))
    }

    fn reserve_in_pages(reserved: usize, align: usize, page: usize) -> Result<Self> {
        let reserved = reserved.next_multiple_of(page);
        let outer_len = reserved.saturating_add(align);
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let outer = unsafe {
            rustix::mm::mmap_anonymous(
                ptr::null_mut(),
                outer_len,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }
        .map_err(|source| Error::AddressSpace { len: outer_len as u64, source: source.into() })?;
        let outer = NonNull::new(outer.cast::<u8>()).expect("mmap never answers null");
        let pad = outer.align_offset(align);
        // SAFETY: `pad < align`, and at least `align` bytes more than `reserved` were mapped.
        let base = unsafe { outer.add(pad) };
        base.expose_provenance();
        Ok(Map {
            base,
            len: AtomicUsize::new(0),
            reserved,
            page,
            torn: AtomicBool::new(false),
            outer: (outer, outer_len),
            process: std::process::id(),
        })
    }

    /// Puts zeroed anonymous memory over the range from the present length to `to`.
    pub(crate) fn extend_anonymous(&self, to: usize) -> io::Result<()> {
        // The rest of the last page is mapped already, and zero.
        let from = self.len().next_multiple_of(self.page).min(to);
        self.extend(from, to, |len| {
            let access = ProtFlags::READ | ProtFlags::WRITE;
            let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
            // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
            unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), len, access, flags) }
        })
    }

    /// Asks for large pages for all that is mapped (madvise(2), `MADV_HUGEPAGE`). A kernel that has none says no,
    /// which is as good.
    pub(crate) fn prefer_large_pages(&self) {
        let len = self.len().next_multiple_of(self.page);
        // SAFETY: this value's own memory, whose contents the advice leaves as they are.
        let _ = unsafe { rustix::mm::madvise(self.base.as_ptr().cast(), len, Advice::LinuxHugepage) };
    }

    /// Maps the file over the range from the present length to `to`.
    pub(crate) fn extend_file(&self, to: usize, file: &File, flags: MapFlags) -> io::Result<()> {
        // A file that was written where pages are smaller may end inside a page. That page is mapped anew, to
        // the same bytes of the same file: nobody sees a difference.
        let from = self.len() & !(self.page - 1);
        self.extend(from, to, |len| {
            let access = ProtFlags::READ | ProtFlags::WRITE;
            // SAFETY: as above. That nobody else writes or truncates the file is the promise of whoever opened
            // the region.
            unsafe { rustix::mm::mmap(ptr::null_mut(), len, access, flags, file, from as u64) }
        })
    }

    /// Lets `map` make a mapping anywhere, and moves it to what lies between `from`, a multiple of the kernel's
    /// page, and `to`. On failure everything is as it was.
    ///
    /// Not with `MAP_FIXED`: the kernel takes away what is there first, and asks the file system only then
    /// (Linux mm/mmap.c, `mmap_region`). Where that says no, as ext4 does to `MAP_SYNC`, a hole is left in the
    /// reservation, into which another thread's mapping may go.
    fn extend(
        &self,
        from: usize,
        to: usize,
        map: impl FnOnce(usize) -> rustix::io::Result<*mut c_void>,
    ) -> io::Result<()> {
        assert!(self.len() <= to && from <= to && to <= self.reserved && to.is_multiple_of(PAGE));
        if from == to {
            self.len.store(to, Ordering::Release);
            return Ok(());
        }
        if self.torn.load(Ordering::Acquire) {
            return Err(Errno::NOMEM.into());
        }
        assert!(from.is_multiple_of(self.page));
        // As mmap(2) rounds it.
        let len = (to - from).next_multiple_of(self.page);
        let new = map(len)?;
        // SAFETY: `from < to <= reserved`.
        let at = unsafe { self.base.add(from) }.as_ptr().cast();
        // SAFETY: the range was just mapped; a child of `fork` shall not have it (madvise(2)).
        let moved = unsafe { rustix::mm::madvise(new, len, Advice::LinuxDontFork) }.and_then(|()| {
            // SAFETY: nothing refers to the new mapping yet. Where it goes is this value's own reservation, and
            // not in use, but for the part of a page that shows the same bytes before and afterwards.
            let moved = unsafe { rustix::mm::mremap_fixed(new, len, len, MremapFlags::MAYMOVE, at) };
            moved.map(drop).inspect_err(|_| self.mend(from, at, len))
        });
        if let Err(errno) = moved {
            // SAFETY: it was mapped just now, was not moved, and nothing refers to it.
            let _ = unsafe { rustix::mm::munmap(new, len) };
            return Err(errno.into());
        }
        self.len.store(to, Ordering::Release);
        Ok(())
    }

    /// The process that has this memory.
    pub(crate) fn process(&self) -> u32 {
        self.process
    }

    /// After a move that failed: the kernel may have taken the reservation away there, or not (mremap(2) does
    /// not say; only for want of the kernel's own memory it does).
    fn mend(&self, from: usize, at: *mut c_void, len: usize) {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED_NOREPLACE;
        // SAFETY: such a mapping replaces nothing (mmap(2), since Linux 4.17; older kernels choose another
        // address).
        let hole = unsafe { rustix::mm::mmap_anonymous(at, len, ProtFlags::empty(), flags) };
        match hole {
            Ok(there) if there == at && from < self.len() => {
                // Half a page of it was in use, where the kernel's pages are large. What is committed is durable.
                eprintln!(
                    "indelible: the kernel took away mapped memory; the process is aborted, reopening recovers the region"
                );
                std::process::abort();
            }
            Ok(there) if there == at => return,
            Ok(elsewhere) => {
                // SAFETY: it was mapped just now, and nothing refers to it.
                let _ = unsafe { rustix::mm::munmap(elsewhere, len) };
            }
            Err(_) => {}
        }
        // What is there may be the reservation still, or another's. It is left alone from now on.
        self.torn.store(true, Ordering::Release);
    }

    /// Bytes that are mapped.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// Bytes of address space.
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
        let (start, len) = (at & !(self.page - 1), at % self.page + len);
        let start = self.pointer(start);
        // SAFETY: a mapped range; msync changes no memory.
        unsafe { rustix::mm::msync(start.as_ptr().cast(), len, MsyncFlags::SYNC)? };
        Ok(())
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
        let (outer, whole) = self.outer;
        let ours = self.address() - outer.addr().get() + self.len();
        let len = if *self.torn.get_mut() { ours } else { whole };
        // SAFETY: this much of the reservation belongs to this value, and every reference into it borrows it or
        // what owns it. It can't fail for a range that was mapped.
        let _ = unsafe { rustix::mm::munmap(outer.as_ptr().cast(), len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 64 KiB, as many aarch64 kernels have it. What this kernel is asked for in such pages it grants.
    const LARGE: usize = 64 << 10;

    /// What a file of an odd number of small pages needs: the file's end, and where it grows, lie inside a page.
    #[test]
    fn a_file_that_ends_inside_a_large_page_can_be_mapped_grown_and_synced() {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(32 * PAGE as u64).expect("room");
        let map = Map::reserve_in_pages(32 * PAGE, HUGE, LARGE).expect("address space");
        for pages in [3, 5, 16, 17, 32] {
            map.extend_file(pages * PAGE, &file, MapFlags::SHARED).expect("it is mapped");
            assert_eq!(map.len(), pages * PAGE);
            map.store((pages - 1) * PAGE, pages as u64);
        }
        for pages in [3, 5, 16, 17, 32] {
            assert_eq!(map.load((pages - 1) * PAGE), pages as u64);
            map.sync((pages - 1) * PAGE, PAGE).expect("the address is a multiple of the page");
        }
    }

    #[test]
    fn a_word_outside_or_across_a_boundary_is_refused() {
        let map = Map::reserve(4 * PAGE).expect("address space");
        map.extend_anonymous(2 * PAGE).expect("memory");
        map.store(2 * PAGE - 8, 1);
        // What is behind the length is reserved and not mapped.
        for at in [2 * PAGE, 3 * PAGE, 4, 2 * PAGE - 4, usize::MAX - 7] {
            let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| map.load(at)));
            assert!(refused.is_err(), "{at:#x}");
        }
    }

    #[test]
    fn anonymous_memory_that_ends_inside_a_large_page_keeps_what_is_there() {
        let map = Map::reserve_in_pages(32 * PAGE, HUGE, LARGE).expect("address space");
        for pages in [16, 17, 32] {
            map.extend_anonymous(pages * PAGE).expect("memory");
            map.store((pages - 1) * PAGE, pages as u64);
        }
        assert_eq!([16, 17, 32].map(|pages| map.load((pages - 1) * PAGE)), [16, 17, 32]);
    }
}
