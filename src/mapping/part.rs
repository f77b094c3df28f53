//! [`Part`]: bytes of a mapping that are about to be written.

use super::Bytes;
use super::place::Place;
use crate::error::Result;
use crate::flush::Route;
use crate::medium::Writable;
use crate::state::{Dirty, Flushed, Persisted};
use std::fmt;
use std::ops::{Deref, Range};
use std::panic::Location;

/// Bytes of a [`Mapping`](super::Mapping) that nobody else reads or writes while this value, or the
/// [`Bytes`] it becomes, exists. Reads through `Deref`; each way to write consumes it.
///
/// | method | stores | flush | fence |
/// |---|---|---|---|
/// | [`write`](Part::write) | the caller's, through `&mut [u8]` | [`Bytes::flush`] | [`Bytes::fence`] or [`Mapping::fence`](super::Mapping::fence) |
/// | [`copy`](Part::copy) | cached | inside | as above |
/// | [`store`](Part::store) | one word, whole | inside | as above |
/// | [`copy_persist`](Part::copy_persist) | cached or past the cache | inside | inside |
/// | [`stream_persist`](Part::stream_persist) | past the cache | of the ragged edges, inside | inside |
///
/// ```
/// # use indelible::mapping::Mapping;
/// # let mut mapping = Mapping::new(4096)?;
/// let [word, record] = mapping.parts([0..8, 64..72])?;
/// assert_eq!((&record[..], record.range()), (&[0; 8][..], 64..72)); // read before it is written
/// let record = record.copy_persist(b"01234567")?;
/// word.store(1).fence()?;
/// assert_eq!(&record[..], b"01234567");
/// # Ok::<(), indelible::Error>(())
/// ```
#[must_use = "a part that is dropped has written nothing"]
pub struct Part<'m, M: Writable> {
    place: Place<'m, M>,
}

impl<'m, M: Writable> Part<'m, M> {
    pub(super) fn new(place: Place<'m, M>) -> Self {
        Part { place }
    }

    /// Where it lies, in bytes from the mapping's start.
    pub fn range(&self) -> Range<usize> {
        self.place.range()
    }

    /// The first `middle` bytes, and the rest.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    ///
    /// ```
    /// # use indelible::mapping::Mapping;
    /// # let mut mapping = Mapping::new(4096)?;
    /// let (head, body) = mapping.part(64..128)?.split_at(16);
    /// assert_eq!((head.range(), body.range()), (64..80, 80..128));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn split_at(self, middle: usize) -> (Self, Self) {
        let (first, second) = self.place.split_at(middle);
        (Part { place: first }, Part { place: second })
    }

    /// The bytes, to be changed through `&mut [u8]`. Nothing of what is written there is durable, and any of it
    /// may become so at any time, in parts of 8 bytes, until it was flushed and fenced.
    ///
    /// ```
    /// # use indelible::mapping::Mapping;
    /// # let mut mapping = Mapping::new(4096)?;
    /// let mut bytes = mapping.part(64..128)?.write(); // Bytes<Dirty>
    /// bytes.fill(7);
    /// bytes[0] = 1;
    /// let bytes = bytes.persist()?; // Bytes<Persisted>: read only
    /// assert_eq!(bytes[..2], [1, 7]);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    #[must_use = "bytes that are dropped `Dirty` are neither flushed nor durable: write, then `persist()?`"]
    pub fn write(self) -> Bytes<'m, Dirty, M> {
        Bytes::new(self.place)
    }

    /// Copies `bytes` here with ordinary stores, and flushes every line of them. Durable with the next fence.
    ///
    /// # Panics
    ///
    /// If `bytes` has another length than the part.
    ///
    /// ```
    /// # use indelible::mapping::Mapping;
    /// # let mut mapping = Mapping::new(4096)?;
    /// let [a, b] = mapping.parts([64..68, 128..132])?;
    /// let (a, b) = (a.copy(b"left"), b.copy(b"both")); // Bytes<Flushed>, twice
    /// let (a, b) = Mapping::fence((a, b))?; // one fence for both
    /// assert_eq!((&a[..], &b[..]), (&b"left"[..], &b"both"[..]));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    #[must_use = "flushed bytes are not durable before a fence: `fence()?`, or `Mapping::fence` for several"]
    pub fn copy(mut self, bytes: &[u8]) -> Bytes<'m, Flushed, M> {
        self.check_len(bytes);
        self.place.bytes_mut().copy_from_slice(bytes);
        self.place.flush(Location::caller());
        Bytes::new(self.place)
    }

    /// Copies `bytes` here and makes them durable, with one fence; the faster way for the length: ordinary stores
    /// and flushes, or stores that bypass the cache.
    ///
    /// # Errors
    ///
    /// [`Error::Poisoned`](crate::Error::Poisoned) if a write-back failed.
    ///
    /// # Panics
    ///
    /// If `bytes` has another length than the part.
    ///
    /// ```
    /// # use indelible::mapping::Mapping;
    /// # let mut mapping = Mapping::new(4096)?;
    /// let record = mapping.part(64..128)?.copy_persist(&[7; 64])?; // durable on return
    /// assert_eq!(record[63], 7);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn copy_persist(mut self, bytes: &[u8]) -> Result<Bytes<'m, Persisted, M>> {
        self.check_len(bytes);
        self.place.copy_persist(bytes, Route::Fastest, Location::caller())?;
        Ok(Bytes::new(self.place))
    }

    /// As [`Part::copy_persist`], past the cache at any length, as far as the CPU can (whole lines; aarch64 can't
    /// at all): for data that is not read again soon.
    ///
    /// # Errors
    ///
    /// As for [`Part::copy_persist`].
    ///
    /// # Panics
    ///
    /// As for [`Part::copy_persist`].
    ///
    /// ```
    /// # use indelible::mapping::Mapping;
    /// # let mut mapping = Mapping::new(1 << 20)?;
    /// let checkpoint = vec![7; 1 << 20];
    /// mapping.part(0..1 << 20)?.stream_persist(&checkpoint)?; // leaves the cache to those who read
    /// assert_eq!(mapping.bytes()[4095], 7);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn stream_persist(mut self, bytes: &[u8]) -> Result<Bytes<'m, Persisted, M>> {
        self.check_len(bytes);
        self.place.copy_persist(bytes, Route::Streamed, Location::caller())?;
        Ok(Bytes::new(self.place))
    }

    /// Stores `value` (little-endian, as the CPU has it) with one 8-byte store, and flushes its line. After a
    /// power failure either the old or the new value is there, whole (Intel SDM vol. 3A, "Guaranteed Atomic
    /// Operations"; Arm ARM, single-copy atomicity): this is what publishes. Durable with the next fence.
    ///
    /// # Panics
    ///
    /// If the part is not 8 bytes at a multiple of 8.
    ///
    /// ```
    /// # use indelible::mapping::Mapping;
    /// # let mut mapping = Mapping::new(4096)?;
    /// let [count, record] = mapping.parts([0..8, 64..128])?;
    /// record.copy_persist(&[7; 64])?;
    /// count.store(1).fence()?; // there is one record from here on, also after a power failure
    /// assert_eq!(mapping.bytes()[0], 1);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    #[must_use = "flushed bytes are not durable before a fence: `fence()?`, or `Mapping::fence` for several"]
    pub fn store(self, value: u64) -> Bytes<'m, Flushed, M> {
        let Range { start, end } = self.range();
        assert!(
            start.is_multiple_of(8) && end - start == 8,
            "only 8 bytes at a multiple of 8 are stored whole; this part is {start}..{end}"
        );
        self.place.store(value, Location::caller());
        Bytes::new(self.place)
    }

    #[track_caller]
    fn check_len(&self, bytes: &[u8]) {
        let Range { start, end } = self.range();
        assert!(
            bytes.len() == end - start,
            "{} bytes can't be copied to a part of {} ({start}..{end}): give the part's length, or split it",
            bytes.len(),
            end - start
        );
    }
}

impl<M: Writable> Deref for Part<'_, M> {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        self.place.bytes()
    }
}

impl<M: Writable> fmt::Debug for Part<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("range", &self.range()).finish_non_exhaustive()
    }
}
