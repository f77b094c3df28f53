//! [`Place`]: bytes of a mapping that one value alone may read and write.
//!
//! # Safety
//!
//! The bytes from `at` to `at + len` lie inside the mapping, and for `'m` nothing else reads or writes them:
//! [`Mapping::parts`](super::Mapping::parts) borrows the mapping exclusively and gives each byte away once, and a
//! place can be split but not copied.
#![allow(unsafe_code)]

use crate::error::Result;
use crate::flush::Route;
use crate::medium::Medium;
use crate::observe::Origin;
use std::marker::PhantomData;
use std::ops::Range;

pub(super) struct Place<'m, M> {
    medium: &'m M,
    at: usize,
    len: usize,
    bytes: PhantomData<&'m mut [u8]>,
}

impl<'m, M: Medium> Place<'m, M> {
    /// # Safety
    ///
    /// For `'m` nothing else reads or writes the bytes of this range, which lies in the mapping.
    pub(super) unsafe fn new(medium: &'m M, range: Range<usize>) -> Self {
        Place { medium, at: range.start, len: range.len(), bytes: PhantomData }
    }

    pub(super) fn medium(&self) -> &'m M {
        self.medium
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.at..self.at + self.len
    }

    pub(super) fn split_at(self, middle: usize) -> (Self, Self) {
        let Place { medium, at, len, bytes } = self;
        assert!(middle <= len, "a part of {len} bytes can't be split at byte {middle}");
        let first = Place { medium, at, len: middle, bytes };
        (first, Place { medium, at: at + middle, len: len - middle, bytes })
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the module's invariant; `bytes_mut` needs `&mut self`.
        unsafe { self.medium.map().bytes(self.at, self.len) }
    }

    #[inline]
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        let start = self.medium.map().pointer(self.at).as_ptr();
        // SAFETY: the module's invariant: inside the mapping, initialised (a file's bytes, or zero), and nobody
        // else's; borrowed exclusively with `self`.
        unsafe { std::slice::from_raw_parts_mut(start, self.len) }
    }

    /// Flushes every line that holds one of the bytes.
    #[inline]
    #[track_caller]
    pub(super) fn flush(&self, origin: Origin) {
        let bytes = self.bytes();
        self.medium.written(bytes, origin);
        self.medium.flush(bytes.as_ptr(), bytes.len(), origin);
    }

    /// Copies and makes durable.
    #[inline]
    #[track_caller]
    pub(super) fn copy_persist(&mut self, bytes: &[u8], route: Route, origin: Origin) -> Result<()> {
        let medium = self.medium;
        medium.copy_persist(self.bytes_mut(), bytes, route, origin)
    }

    /// Stores a word, whole, and flushes its line. The place is one aligned word.
    #[inline]
    #[track_caller]
    pub(super) fn store(&self, value: u64, origin: Origin) {
        self.medium.store(self.at, value, origin);
        self.medium.flush_line(self.medium.map().pointer(self.at).as_ptr(), origin);
    }
}
