//! [`Bytes`]: bytes of a mapping that were written, with their persistence state.

use super::Mapping;
use super::place::Place;
use crate::error::Result;
use crate::medium::{Emulated, Writable};
use crate::state::{Dirty, Flushed, Persisted};
use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::panic::Location;

/// Bytes of a [`Mapping`] that were written, in state `S`.
///
/// `Bytes<'_, Persisted, M>` is evidence: it can't be had but by a flush and a fence of all its lines, and while
/// it exists the bytes can't change. Let your own functions demand it before they store the word that publishes.
///
/// ```
/// use indelible::mapping::{Bytes, Mapping, Part};
/// use indelible::{Result, medium::Writable, state::Persisted};
///
/// /// Can't be called before the record is durable.
/// fn publish<M: Writable>(word: Part<'_, M>, record: &Bytes<'_, Persisted, M>) -> Result<()> {
///     word.store(record.range().start as u64).fence().map(drop)
/// }
///
/// let mut mapping = Mapping::new(4096)?;
/// let [word, record] = mapping.parts([0..8, 64..128])?;
/// let mut record = record.write(); // Bytes<Dirty>
/// record.fill(7);
/// let record = record.flush(); // Bytes<Flushed>
/// let record = record.fence()?; // Bytes<Persisted>
/// publish(word, &record)?;
/// assert_eq!(mapping.bytes()[0], 64);
/// # Ok::<(), indelible::Error>(())
/// ```
pub struct Bytes<'m, S, M: Writable> {
    place: Place<'m, M>,
    /// No value. (An array instead of `PhantomData`, because the compiler's message about a thread then names
    /// nothing that lies outside this crate.)
    _state: [S; 0],
}

impl<'m, S, M: Writable> Bytes<'m, S, M> {
    /// The one place where a state is given: called when what it takes was done.
    pub(super) fn new(place: Place<'m, M>) -> Self {
        Bytes { place, _state: [] }
    }

    /// Where they lie, in bytes from the mapping's start.
    pub fn range(&self) -> Range<usize> {
        self.place.range()
    }

    pub(super) fn medium(&self) -> &'m M {
        self.place.medium()
    }
}

impl<'m, M: Writable> Bytes<'m, Dirty, M> {
    /// Flushes every line that holds one of the bytes. They can't be changed any more.
    ///
    /// ```
    /// # use indelible::mapping::Mapping;
    /// # let mut mapping = Mapping::new(4096)?;
    /// let [a, b] = mapping.parts([64..128, 128..192])?;
    /// let (mut a, mut b) = (a.write(), b.write());
    /// a.fill(1);
    /// b.fill(2);
    /// let [a, b] = Mapping::fence([a.flush(), b.flush()])?; // two flushes, one fence
    /// assert_eq!((a[0], b[0]), (1, 2));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    #[must_use = "flushed bytes are not durable before a fence: `fence()?`, or `Mapping::fence` for several"]
    pub fn flush(self) -> Bytes<'m, Flushed, M> {
        self.place.flush(Location::caller());
        Bytes::new(self.place)
    }

    /// [`Bytes::flush`], then [`Bytes::fence`].
    ///
    /// # Errors
    ///
    /// As for [`Bytes::fence`].
    ///
    /// ```
    /// # use indelible::mapping::Mapping;
    /// # let mut mapping = Mapping::new(4096)?;
    /// let mut record = mapping.part(64..128)?.write();
    /// record[..5].copy_from_slice(b"hello");
    /// let record = record.persist()?; // durable from here on
    /// assert_eq!(&record[..5], b"hello");
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn persist(self) -> Result<Bytes<'m, Persisted, M>> {
        self.flush().fence()
    }
}

impl<'m, M: Writable> Bytes<'m, Flushed, M> {
    /// Waits until the bytes are durable. For several, [`Mapping::fence`] waits once.
    ///
    /// # Errors
    ///
    /// [`Error::Poisoned`](crate::Error::Poisoned) if the write-back failed, now or earlier.
    ///
    /// ```
    /// # use indelible::mapping::Mapping;
    /// # let mut mapping = Mapping::new(4096)?;
    /// let word = mapping.part(0..8)?.store(7); // Bytes<Flushed>
    /// let word = word.fence()?; // durable from here on
    /// assert_eq!(word[0], 7);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn fence(self) -> Result<Bytes<'m, Persisted, M>> {
        Mapping::fence(self)
    }

    /// A fence of their medium has followed.
    pub(super) fn into_persisted(self) -> Bytes<'m, Persisted, M> {
        Bytes::new(self.place)
    }
}

impl<S, M: Writable> Deref for Bytes<'_, S, M> {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        self.place.bytes()
    }
}

impl<M: Writable> DerefMut for Bytes<'_, Dirty, M> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        self.place.bytes_mut()
    }
}

impl<S, M: Writable> fmt::Debug for Bytes<'_, S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = std::any::type_name::<S>().rsplit("::").next().unwrap_or("?");
        f.debug_tuple(state).field(&self.range()).finish()
    }
}

static_assertions::assert_not_impl_any!(Bytes<'static, Flushed, Emulated>: Send, Sync, Clone);
static_assertions::assert_impl_all!(Bytes<'static, Dirty, Emulated>: Send, Sync);
static_assertions::assert_impl_all!(Bytes<'static, Persisted, Emulated>: Send, Sync);
static_assertions::assert_not_impl_any!(Bytes<'static, Persisted, Emulated>: Clone, DerefMut);
