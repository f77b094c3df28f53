//! Writing new objects into blocks that nothing can read yet.
//!
//! # Safety
//!
//! The caller owns the block: it came from the heap in this transaction (or is the root of a region that is
//! being built), and neither a link nor a handle leads to it.
#![allow(unsafe_code)]

use super::block::{HEADER, Header};
use super::content;
use crate::medium::Map;
use crate::persistent::{Persistent, TypeInfo};
use std::ptr::NonNull;

/// Writes the block header of an object at `at`.
pub(crate) fn write_header(map: &Map, at: usize, count: usize, info: &TypeInfo) {
    let header = Header { count: count as u64, fingerprint: info.fingerprint };
    let words = header.encode(at);
    map.store(at - HEADER, words[0]);
    map.store(at - HEADER + 8, words[1]);
}

/// Reads a block's header, for an object at `at`.
pub(crate) fn read_header(map: &Map, at: usize) -> [u64; 2] {
    [map.load(at - HEADER), map.load(at - HEADER + 8)]
}

/// A pointer to the object of type `T` at `at`, whose bytes lie in the mapping.
pub(crate) fn pointer<T>(map: &Map, at: usize) -> NonNull<T> {
    debug_assert!(at + size_of::<T>() <= map.len() && at.is_multiple_of(align_of::<T>()));
    map.pointer(at).cast()
}

/// Writes an object.
///
/// # Safety
///
/// The block at `at` is the caller's, and large enough and aligned for `T`.
pub(crate) unsafe fn write<T: Persistent>(map: &Map, at: usize, value: T) -> NonNull<T> {
    let object = pointer::<T>(map, at);
    // SAFETY: the caller's promise; `T` has no drop glue, so that overwriting what was there loses nothing.
    unsafe { object.write(value) };
    object
}

/// Copies bytes to the block's object.
///
/// # Safety
///
/// The block at `at` is the caller's, and has room for the bytes.
pub(crate) unsafe fn write_bytes(map: &Map, at: usize, bytes: &[u8]) {
    let start = map.pointer(at).as_ptr();
    // SAFETY: the caller's promise; the source is a reference, and so does not overlap a block that no
    // reference leads to.
    unsafe { start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

/// Hash of a block, its header and an object of `size` bytes at `at`, as content of a record.
///
/// # Safety
///
/// Nothing writes to the block meanwhile.
#[inline]
pub(crate) unsafe fn hash_block(map: &Map, region_id: u64, at: usize, size: usize) -> u64 {
    let start = at - HEADER;
    // SAFETY: the caller's promise.
    let rest = unsafe { map.bytes(start + 8, HEADER - 8 + size) };
    content::hash(region_id, start, map.load(start), rest)
}

/// The bytes of a slice of values without padding.
pub(crate) fn bytes_of<T: Persistent>(values: &[T]) -> &[u8] {
    // SAFETY: a `Persistent` type has no padding, so that every byte is initialised.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// Writes the root of a region that is being built, at the place that its layout gives it.
pub(crate) fn write_root<R: Persistent>(map: &Map, at: usize, root: R) {
    assert!(at + size_of::<R>() <= map.len() && at.is_multiple_of(align_of::<R>()));
    // SAFETY: the region is not open yet, so that nothing refers to its memory; the place is inside.
    unsafe { write(map, at, root) };
}
