//! [`Log`]: append-only records of bytes in a ring, for write-ahead and Raft logs.

use crate::format::frame::{batch_len, frame_len};
use crate::format::ring::{self, Ring};
use crate::medium::Medium;
use crate::{Error, Link, Persistent, Read, Result, Tx};
use std::fmt;

/// Append-only records of bytes in a ring of fixed capacity, numbered in order.
///
/// Appending is one fence, for one record or a batch: the checksum of what a transaction appended publishes it,
/// and so nothing else has to be ordered. Recovery reads up to the first that doesn't verify. All records that
/// one transaction appends to a log are there after a crash, or none is; and if it changes other words too, or
/// several logs, all of that happens together or not at all (one fence too). An append that was aborted, or
/// that recovery did not find whole, never comes back.
///
/// A log lives inline in a struct of yours and takes 8 bytes there. It is made empty and without a ring;
/// [`Log::create`] gives it one. Records are read as plain `&[u8]`, without copying. Readers see what was
/// committed: inside a transaction that is the state at its start, without the transaction's own appends.
///
/// A write-ahead log:
///
/// ```
/// use indelible::{Persistent, Region, Word, collections::Log};
///
/// #[derive(Persistent, Default)]
/// #[repr(C)]
/// struct Store { wal: Log, total: Word<u64> }
///
/// let mut store = Region::new(1 << 20, Store::default())?;
/// store.transact(|tx, root| root.wal.create(tx, 64 << 10))?;
///
/// // Durable with one fence each.
/// for n in [5_u64, 7, 9] {
///     store.transact(|tx, root| root.wal.append(tx, &n.to_le_bytes()))?;
/// }
///
/// // A checkpoint: what the log says is applied, and the log truncated, together or not at all.
/// store.transact(|tx, root| {
///     let sum: u64 = root.wal.iter().map(|(_, n)| u64::from_le_bytes(n.try_into().unwrap())).sum();
///     tx.store(&root.total, tx.load(&root.total) + sum);
///     root.wal.truncate_front(tx, root.wal.next_seq());
///     Ok(())
/// })?;
/// assert_eq!(store.root().total.get(), 21);
/// assert!(store.root().wal.is_empty());
/// assert_eq!(store.root().wal.next_seq(), 4); // numbers go on
/// # Ok::<(), indelible::Error>(())
/// ```
///
/// Reading:
///
/// ```
/// # use indelible::{collections::Log, Region};
/// # let mut region = Region::new(1 << 20, Log::new())?;
/// region.transact(|tx, log| log.create(tx, 4096))?;
/// region.transact(|tx, log| log.append_all(tx, [&b"one"[..], b"two", b"three"]))?;
///
/// let log = region.root();
/// assert_eq!((log.first_seq(), log.last_seq(), log.next_seq(), log.len()), (Some(1), Some(3), 4, 3));
/// assert_eq!(log.get(2), Some(&b"two"[..]));
/// assert_eq!(log.iter().next(), Some((1, &b"one"[..])));
/// for (number, record) in log.iter_from(2) {
///     println!("{number}: {} bytes", record.len());
/// }
/// println!("{} of {} bytes in use", log.used(), log.capacity());
/// # Ok::<(), indelible::Error>(())
/// ```
///
/// # What a checksum can and can't do
///
/// Records count if their XXH3-64 is right. That tells torn records from whole ones, but for one in 2^64; it is
/// no defence against somebody who knows the region's random id and makes records that contain other records.
///
/// A record that was durable and is damaged later looks like one that never was whole: when the region is opened
/// the log ends before it, and nothing says that more was there. Only what transactions left in words tells: a
/// log that ends before the first record that was not truncated, or before the place of its last truncation, is
/// [`Error::Damaged`]. A program that must know keeps the number of its last record in a [`Word`](crate::Word).
#[derive(Persistent, Default)]
#[repr(C)]
pub struct Log {
    ring: Link<Ring>,
}

impl Log {
    /// A log without a ring: nothing can be appended before [`Log::create`].
    ///
    /// ```
    /// # use indelible::{collections::Log, Region};
    /// # let mut region = Region::new(1 << 20, Log::new())?;
    /// assert_eq!(region.root().capacity(), 0);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub const fn new() -> Self {
        Log { ring: Link::null() }
    }

    /// Gives the log a ring for `capacity` bytes, rounded up to a multiple of 64. Its first record will have
    /// the number 1. The ring is written whole once (with zeros), and durable when the transaction commits.
    ///
    /// A transaction takes 16 bytes of it and what it appends, rounded up to a multiple of 16; of several
    /// records each takes 4 bytes more, and is rounded up to a multiple of 4. (The ring takes 128 bytes of the region
    /// besides, and 64 for each whole 4096 bytes of its capacity.)
    ///
    /// # Errors
    ///
    /// As for [`Tx::alloc`]; [`Error::BadLength`] above 16 GiB.
    ///
    /// # Panics
    ///
    /// If it has a ring already, as the transaction sees it: see [`Log::resize`].
    ///
    /// ```
    /// # use indelible::{collections::Log, Region};
    /// # let mut region = Region::new(1 << 20, Log::new())?;
    /// region.transact(|tx, log| log.create(tx, 64 << 10))?;
    /// assert_eq!((region.root().capacity(), region.root().next_seq()), (64 << 10, 1));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn create<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, capacity: u64) -> Result<()> {
        self.create_from(tx, capacity, 1)
    }

    /// As [`Log::create`], and its first record will have the number `first`: for a copy of a log that was
    /// truncated, or one that begins behind a snapshot.
    ///
    /// # Errors
    ///
    /// As for [`Log::create`].
    ///
    /// # Panics
    ///
    /// As for [`Log::create`], and if `first` is above 2^62. (No record has the number 2^62 or a higher one. A log that
    /// begins there is a copy of one that can't go on, and can't go on either.)
    ///
    /// ```
    /// # use indelible::{collections::Log, Region};
    /// # let mut region = Region::new(1 << 20, Log::new())?;
    /// // A follower that was sent a state in which record 1,000 is applied already.
    /// region.transact(|tx, log| log.create_from(tx, 4096, 1001))?;
    /// let number = region.transact(|tx, log| log.append(tx, b"the next"))?;
    /// assert_eq!((number, region.root().first_seq()), (1001, Some(1001)));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn create_from<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, capacity: u64, first: u64) -> Result<()> {
        let ring = tx.alloc_ring(capacity, first)?;
        tx.stage(&self.ring, tx.flush(ring));
        Ok(())
    }

    /// Moves the records into a new ring of `capacity` bytes, larger or smaller, and frees the old one. They
    /// keep their numbers. Published with one word.
    ///
    /// Call it before the transaction does anything else to this log: what it appended or truncated before
    /// would be lost, and so that is refused with a panic.
    ///
    /// # Errors
    ///
    /// As for [`Log::create`]; [`Error::LogFull`] if the records don't fit.
    ///
    /// # Panics
    ///
    /// If the transaction has appended to or truncated this log already.
    ///
    /// ```
    /// # use indelible::{collections::Log, Region};
    /// # let mut region = Region::new(1 << 20, Log::new())?;
    /// # region.transact(|tx, log| log.create(tx, 4096))?;
    /// use indelible::Error;
    ///
    /// let mut append = |record: &[u8]| match region.transact(|tx, log| log.append(tx, record)) {
    ///     Err(Error::LogFull { capacity, .. }) => region.transact(|tx, log| {
    ///         log.resize(tx, 2 * capacity)?;
    ///         log.append(tx, record)
    ///     }),
    ///     other => other,
    /// };
    /// for n in 1..=100 {
    ///     assert_eq!(append(&[7; 100])?, n); // numbers go on
    /// }
    /// assert_eq!(region.root().capacity(), 16 << 10);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn resize<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, capacity: u64) -> Result<()> {
        let Some(old) = tx.get(&self.ring) else { return self.create(tx, capacity) };
        tx.ring_untouched(old);
        let needed = frame_len(old.records(0).map(|(_, record)| batch_len(record.len())).sum());
        if needed as u64 > capacity || needed > u32::MAX as usize {
            return Err(Error::LogFull { needed: needed as u64, used: 0, capacity });
        }
        let ring = tx.alloc_ring(capacity, old.first())?;
        tx.free(tx.take(&self.ring));
        tx.stage(&self.ring, tx.flush(ring));
        let new = tx.get(&self.ring).expect("it was staged");
        tx.ring_append(new, old.records(0).map(|(_, record)| record))?;
        Ok(())
    }

    /// Frees the ring with all records: the log is as [`Log::new`] made it.
    ///
    /// Gone for good when the transaction has committed. A log that gets a ring again begins with the number 1.
    ///
    /// # Panics
    ///
    /// If the log is not in this transaction's region.
    ///
    /// ```
    /// # use indelible::{collections::Log, Region};
    /// # let mut region = Region::new(1 << 20, Log::new())?;
    /// # region.transact(|tx, log| log.create(tx, 4096))?;
    /// region.transact(|tx, log| Ok(log.destroy(tx)))?;
    /// assert_eq!((region.root().capacity(), region.usage()?.objects), (0, 1)); // the root is left
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn destroy<'t, M: Medium>(&'t self, tx: &Tx<'t, M>) {
        tx.free(tx.take(&self.ring));
    }

    /// Appends a record when the transaction commits, which is durable then; the record's number.
    ///
    /// # Errors
    ///
    /// [`Error::LogFull`] if there is no room for all that this transaction appends, in one piece. Nothing of
    /// it was stored. What a transaction truncates is free after it. [`Error::UsedUp`] at the end of what can be
    /// counted: after record 2^62 - 1, and after some 2^62 bytes in one ring.
    ///
    /// ```
    /// # use indelible::{collections::Log, Region};
    /// # let mut region = Region::new(1 << 20, Log::new())?;
    /// # region.transact(|tx, log| log.create(tx, 4096))?;
    /// let number = region.transact(|tx, log| log.append(tx, b"a record"))?; // durable, with one fence
    /// assert_eq!(region.root().get(number), Some(&b"a record"[..]));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn append<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, record: &[u8]) -> Result<u64> {
        tx.ring_append(self.ring(tx, record.len())?, [record])
    }

    /// Appends several records, all or none; the number of the first. The others' follow it. It is the number
    /// that the next record will have if there is none.
    ///
    /// # Errors
    ///
    /// As for [`Log::append`]. None of them is appended then.
    ///
    /// # Panics
    ///
    /// As for [`Log::append`]; when the iterator does, and if it changes this log. It may use the transaction
    /// otherwise. Nothing is appended then, also where the panic is caught.
    ///
    /// ```
    /// # use indelible::{collections::Log, Region};
    /// # let mut region = Region::new(1 << 20, Log::new())?;
    /// # region.transact(|tx, log| log.create(tx, 4096))?;
    /// let batch = ["one", "two", "three"];
    /// let first = region.transact(|tx, log| log.append_all(tx, batch.iter().map(|line| line.as_bytes())))?;
    /// assert_eq!((first, region.root().len()), (1, 3)); // one fence for the three
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn append_all<'t, 'a, M: Medium>(
        &'t self,
        tx: &Tx<'t, M>,
        records: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<u64> {
        let ring = self.ring(tx, 0)?;
        let first = tx.ring_append(ring, records)?;
        tx.ring_in_place(&self.ring, ring);
        Ok(first)
    }

    /// Removes the records before number `seq` when the transaction commits: `seq` is the first that stays.
    /// Nothing happens if they are gone already; all go if `seq` is past the last. A record that was appended
    /// together with one that stays keeps its space as long as that.
    ///
    /// # Panics
    ///
    /// If the log is not in this transaction's region.
    ///
    /// ```
    /// # use indelible::{collections::Log, Region};
    /// # let mut region = Region::new(1 << 20, Log::new())?;
    /// # region.transact(|tx, log| log.create(tx, 4096))?;
    /// # region.transact(|tx, log| log.append_all(tx, [&b"one"[..], b"two", b"three"]))?;
    /// let applied = 2; // the last record that is not needed any more
    /// region.transact(|tx, log| Ok(log.truncate_front(tx, applied + 1)))?;
    /// assert_eq!((region.root().first_seq(), region.root().len()), (Some(3), 1));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn truncate_front<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, seq: u64) {
        if let Some(ring) = tx.get(&self.ring) {
            tx.ring_truncate_front(ring, seq);
        }
    }

    /// Removes the records from number `seq` on when the transaction commits, those that it appended itself
    /// included; the next record has the number `seq` then, or that of the first one if `seq` is less. Nothing
    /// happens if there is none.
    ///
    /// What is appended in the same transaction takes the place of the removed ones (a Raft conflict), but not
    /// their space: that is free when the records before it are truncated too.
    ///
    /// A record is found as [`Log::iter_from`] finds it. If it is in the middle of what one transaction appended (or
    /// what [`Log::resize`] moved), what stays of that is read, for its new checksum.
    ///
    /// # Errors
    ///
    /// [`Error::UsedUp`] the 2^30th time, until [`Log::resize`] begins to count anew.
    ///
    /// # Panics
    ///
    /// If the log is not in this transaction's region.
    ///
    /// ```
    /// # use indelible::{collections::Log, Region};
    /// # let mut region = Region::new(1 << 20, Log::new())?;
    /// # region.transact(|tx, log| log.create(tx, 4096))?;
    /// # region.transact(|tx, log| log.append_all(tx, [&b"one"[..], b"two", b"three"]))?;
    /// // The leader has another record 2: it and what follows go, and its own come, or nothing happens.
    /// region.transact(|tx, log| {
    ///     log.truncate_back(tx, 2)?;
    ///     log.append(tx, b"the leader's two")
    /// })?;
    /// assert_eq!((region.root().len(), region.root().get(2)), (2, Some(&b"the leader's two"[..])));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn truncate_back<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, seq: u64) -> Result<()> {
        tx.get(&self.ring).map_or(Ok(()), |ring| tx.ring_truncate_back(ring, seq))
    }

    /// All records, oldest first, each with its number.
    pub fn iter(&self) -> Records<'_> {
        self.iter_from(0)
    }

    /// The records from number `seq` on, or from the first if that is later.
    ///
    /// Finding the first of them takes as long in a long log as in a short one if it is among the newest, and otherwise
    /// grows with the logarithm of the log's length: the log knows where a record lies in each few kilobytes.
    ///
    /// ```
    /// # use indelible::{collections::Log, Region};
    /// # let mut region = Region::new(1 << 20, Log::new())?;
    /// # region.transact(|tx, log| log.create(tx, 4096))?;
    /// # region.transact(|tx, log| log.append_all(tx, [&b"one"[..], b"two", b"three"]))?;
    /// let sent = 1; // to a follower
    /// let missing: Vec<u64> = region.root().iter_from(sent + 1).map(|(number, _)| number).collect();
    /// assert_eq!(missing, [2, 3]);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn iter_from(&self, seq: u64) -> Records<'_> {
        Records { records: self.ring.get().map(|ring| ring.records(seq)) }
    }

    /// The record with this number, found as [`Log::iter_from`] finds it.
    pub fn get(&self, seq: u64) -> Option<&[u8]> {
        self.iter_from(seq).next().filter(|&(found, _)| found == seq).map(|(_, record)| record)
    }

    /// The number of the first record, or `None` if there is none.
    pub fn first_seq(&self) -> Option<u64> {
        let ring = self.ring.get()?;
        (ring.first() < ring.next()).then(|| ring.first())
    }

    /// The number of the last record, or `None` if there is none.
    pub fn last_seq(&self) -> Option<u64> {
        self.first_seq().map(|_| self.next_seq() - 1)
    }

    /// The number that the next record will have.
    pub fn next_seq(&self) -> u64 {
        self.ring.get().map_or(1, Ring::next)
    }

    /// How many records there are.
    pub fn len(&self) -> u64 {
        self.ring.get().map_or(0, |ring| ring.next() - ring.first())
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the ring; 0 without one.
    pub fn capacity(&self) -> u64 {
        self.ring.get().map_or(0, |ring| ring.capacity() as u64)
    }

    /// Bytes in use, with what was left unused at the end of the ring because a record did not fit there.
    pub fn used(&self) -> u64 {
        self.ring.get().map_or(0, Ring::used)
    }

    #[cfg(test)]
    pub(crate) fn ring_address(&self) -> usize {
        self.ring.get().expect("it has one").address()
    }

    /// The ring as the transaction sees it. `len` is the record's, for the error that there is none.
    fn ring<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, len: usize) -> Result<&'t Ring> {
        let full = || Error::LogFull { needed: frame_len(len) as u64, used: 0, capacity: 0 };
        Read::get(tx, &self.ring).ok_or_else(full)
    }
}

impl<'a> IntoIterator for &'a Log {
    type Item = (u64, &'a [u8]);
    type IntoIter = Records<'a>;

    fn into_iter(self) -> Records<'a> {
        self.iter()
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

/// The records of a [`Log`], oldest first, each with its number: what [`Log::iter`] returns.
#[derive(Clone)]
pub struct Records<'a> {
    records: Option<ring::Records<'a>>,
}

impl<'a> Iterator for Records<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.records.as_mut()?.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.records.as_ref().map_or(0, |records| records.remaining() as usize);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Records<'_> {}

impl fmt::Debug for Records<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Region;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Nobody outside can name a ring. The rule protects from a mistake in this crate's containers.
    #[test]
    fn the_ring_of_a_log_is_not_copied() {
        let mut region = Region::new(1 << 20, Log::new()).expect("memory");
        region.transact(|tx, log| log.create(tx, 640)).expect("room");
        region.transact(|tx, log| log.append(tx, b"stays")).expect("room");
        let result = catch_unwind(AssertUnwindSafe(|| {
            region.transact(|tx, log| {
                let ring = tx.take(&log.ring).expect("it has one");
                let copy = tx.rewrite(ring)?;
                tx.stage(&log.ring, tx.flush(copy));
                Ok(())
            })
        }));
        let message = *result.expect_err("a rule").downcast::<String>().expect("a message");
        assert!(message.contains("the memory of a log can't be copied"), "{message}");
        assert_eq!(region.root().get(1), Some(&b"stays"[..]));
    }
}
