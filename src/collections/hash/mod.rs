//! [`HashMap`]: a hash map that grows bucket by bucket, with copy-on-write buckets.
//!
//! Bucket `i` of a map of depth `d` has the keys whose hash ends in the `d` bits of `i`, where it exists. Where
//! it doesn't, its keys are still in the bucket whose number lacks the highest bit of `i`, and so on down to
//! bucket 0. So a bucket `i` that is full splits into `i` and `i + 2^l` by itself, at the first level `l` that it
//! has not split at. Links to buckets stand in segments: segment 0 has bucket 0, and segment `s` the `2^(s-1)`
//! buckets from there on. To grow is to publish one more segment, of null links: no entry moves, and no link.
//!
//! It grows so, and not by a copy of the whole into a larger table, because an insert then never waits for the
//! others: the largest writes 8 bytes of null link for a bucket. What that costs a look-up is one load, of the link,
//! beside a table that holds its entries itself; `benches/databases/run --maps` has it beside std's.

mod change;
mod iter;

pub use iter::Iter;

use super::node::{Node, Nodes, WIDTH, fetched};
use super::stored::{Layout, Stored};
use crate::{Link, Persistent, Read, Result, Tx, Word, medium::Medium};
use std::borrow::Borrow;
use std::hash::{BuildHasher, RandomState};
use xxhash_rust::xxh3::xxh3_64_with_seed;
use zerocopy::{Immutable, IntoBytes};

/// A bucket: entries whose hashes end in the same bits.
type BucketOf<K, V> = [Node<<K as Layout>::Cell, <V as Layout>::Cell>];
/// A link to a bucket; null if the bucket has not split off yet.
type SlotOf<K, V> = Link<BucketOf<K, V>>;

/// The most segments that a map can have. No region has room for so many buckets.
const SEGMENTS: usize = 40;
/// The entries from which on a bucket splits even if the map must grow for it. The map grows only if at least half of
/// the newest buckets are there (`is_dense`).
const MAX_BUCKET: usize = 3 * WIDTH;

/// A hash map from `K` to `V`; 336 bytes in its owner.
///
/// | | fences | published words |
/// |---|---|---|
/// | `insert`, `remove`, `update` | 1 in all, whatever the size, or 2 where more than 2 KiB are copied; several in one transaction share them | 1 each; an insert that splits a bucket 2, one in a doubling 3 |
/// | `clear` | 1 | one for each doubling |
/// | reads | 0 | 0 |
///
/// It takes keys whose bytes are their value: `K: zerocopy::IntoBytes`, as integers, arrays of them, `str` and
/// `[u8]` are, and your own types by derive. Two keys are the same if their bytes are; they are hashed with
/// XXH3-64 and the map's own seed, which are part of the file and never change.
///
/// [`HashMap::new`] takes a random seed, so that nobody who doesn't know it can choose keys that collide. XXH3 is
/// no cryptographic hash: an attacker who can measure look-ups, or read the file, may find some all the same. Keys
/// that collide, or whose hashes end alike, share a bucket, which then grows and makes their inserts slower; nothing
/// is lost, and the map does not double for them. Where keys come
/// from an adversary, [`BTreeMap`](super::BTreeMap) has no such worst case.
///
/// No insert moves more than one bucket. The insert that doubles the map writes one link, 8 bytes, for each
/// bucket that there may be from now on: about 1 byte for each entry that the map has. Nothing shrinks
/// but by [`HashMap::clear`].
///
/// There is no length in it, as in [`BTreeMap`](super::BTreeMap): [`HashMap::len`] counts.
///
/// ```
/// use indelible::collections::HashMap;
/// use indelible::{Committed, Persistent, Region};
///
/// #[derive(Persistent)]
/// #[repr(C)]
/// struct Root { sessions: HashMap<[u8; 16], str> }
///
/// let mut region = Region::new(1 << 20, Root { sessions: HashMap::new() })?;
/// region.transact(|tx, root| {
///     root.sessions.insert(tx, b"0123456789abcdef", "Ada")?;
///     Ok(())
/// })?;
/// assert_eq!(region.root().sessions.get(&Committed, b"0123456789abcdef"), Some("Ada"));
/// # Ok::<(), indelible::Error>(())
/// ```
#[derive(Persistent)]
#[repr(C)]
pub struct HashMap<K: Stored + ?Sized, V: Stored + ?Sized> {
    seed: u64,
    /// How many bits of a hash number a bucket.
    depth: Word<u64>,
    segments: [Link<[SlotOf<K, V>]>; SEGMENTS],
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> Default for HashMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> HashMap<K, V> {
    /// An empty map with a random seed.
    ///
    /// ```
    /// # use indelible::{collections::HashMap, Region};
    /// let region = Region::new(1 << 20, HashMap::<str, u64>::new())?;
    /// # assert!(region.root().is_empty(&indelible::Committed));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn new() -> Self {
        Self::with_seed(RandomState::new().hash_one(0_u64))
    }

    /// An empty map with this seed, for runs that must be the same.
    ///
    /// ```
    /// # use indelible::{collections::HashMap, Committed, Region};
    /// // Two runs of a test lay out their buckets alike.
    /// let map = || HashMap::<u64, u64>::with_seed(7);
    /// let (mut a, mut b) = (Region::new(1 << 20, map())?, Region::new(1 << 20, map())?);
    /// for region in [&mut a, &mut b] {
    ///     region.transact(|tx, map| (0..100).try_for_each(|n| map.insert(tx, &n, &n).map(drop)))?;
    /// }
    /// assert!(a.root().iter(&Committed).eq(b.root().iter(&Committed)));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn with_seed(seed: u64) -> Self {
        HashMap { seed, depth: Word::new(0), segments: std::array::from_fn(|_| Link::null()) }
    }

    /// Whether there is no entry: looks for one.
    ///
    /// ```
    /// # use indelible::{collections::HashMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, HashMap::<u64, u64>::new())?;
    /// assert!(region.root().is_empty(&Committed));
    /// region.transact(|tx, map| {
    ///     map.insert(tx, &1, &10)?;
    ///     assert!(!map.is_empty(tx)); // as the transaction sees it
    ///     Ok(())
    /// })?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn is_empty<'a>(&'a self, read: &impl Read<'a>) -> bool {
        self.buckets(read).all(|bucket| bucket.is_empty())
    }

    /// How many entries there are: counted, which reads one cache line of each bucket.
    ///
    /// ```
    /// # use indelible::{collections::HashMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, HashMap::<u64, u64>::new())?;
    /// region.transact(|tx, map| (0..100).try_for_each(|n| map.insert(tx, &n, &n).map(drop)))?;
    /// assert_eq!(region.root().len(&Committed), 100);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn len<'a>(&'a self, read: &impl Read<'a>) -> usize {
        self.buckets(read).map(Nodes::count).sum()
    }

    /// Takes out all entries and frees them, and gives the directory back. They are gone for good when the
    /// transaction has committed.
    ///
    /// ```
    /// # use indelible::{collections::HashMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, HashMap::<u64, u64>::new())?;
    /// region.transact(|tx, map| map.insert(tx, &1, &10).map(drop))?;
    /// region.transact(|tx, map| Ok(map.clear(tx)))?;
    /// assert!(region.root().is_empty(&Committed));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn clear<'t, M: Medium>(&'t self, tx: &Tx<'t, M>) {
        for segment in &self.segments {
            tx.free(tx.take(segment));
        }
        tx.store(&self.depth, 0);
    }

    /// All entries, in no order that means anything.
    ///
    /// An iterator through a transaction may miss or repeat what the transaction changes while it runs.
    ///
    /// ```
    /// # use indelible::{collections::HashMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, HashMap::<u64, u64>::new())?;
    /// region.transact(|tx, map| (0..100).try_for_each(|n| map.insert(tx, &n, &(n * n)).map(drop)))?;
    /// assert_eq!(region.root().iter(&Committed).map(|(_, square)| square).sum::<u64>(), 328_350);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn iter<'r, 'a, R: Read<'a>>(&'a self, read: &'r R) -> Iter<'r, 'a, R, K, V> {
        Iter::new(self, read)
    }

    /// All buckets that exist.
    fn buckets<'r, 'a, R: Read<'a>>(&'a self, read: &'r R) -> impl Iterator<Item = &'a BucketOf<K, V>> + 'r
    where
        'a: 'r,
    {
        let slots = self.segments.iter().flat_map(|segment| read.get(segment)).flatten();
        slots.filter_map(|slot| read.get(slot))
    }

    /// How many bits of a hash number its bucket. A damaged file may say more than it has segments for. That does no
    /// harm, because a search goes on to the parent of a bucket that doesn't exist.
    #[inline(always)]
    fn depth<'a>(&'a self, read: &impl Read<'a>) -> usize {
        (read.load(&self.depth) as usize).min(SEGMENTS - 1)
    }

    /// The link to a bucket; `None` if its segment doesn't exist.
    #[inline(always)]
    fn slot<'a>(&'a self, read: &impl Read<'a>, bucket: usize) -> Option<&'a SlotOf<K, V>> {
        let segment = bits(bucket);
        let slots = read.get(&self.segments[segment])?;
        slots.get(bucket - ((1 << segment) >> 1))
    }
}

impl<K: Stored + IntoBytes + Immutable + ?Sized, V: Stored + ?Sized> HashMap<K, V> {
    /// The value of `key`.
    ///
    /// ```
    /// # use indelible::{collections::HashMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, HashMap::<str, u64>::new())?;
    /// region.transact(|tx, map| map.insert(tx, "Ada", &36).map(drop))?;
    /// assert_eq!(region.root().get(&Committed, "Ada"), Some(&36));
    /// assert_eq!(region.root().get(&Committed, "Bob"), None);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    pub fn get<'a>(&'a self, read: &impl Read<'a>, key: &K) -> Option<&'a V> {
        let hash = self.hash(key);
        let (_, _, bucket) = self.bucket(read, hash)?;
        let index = find::<K, V>(read, bucket, key, hash)?;
        V::view(read, bucket.item(index))
    }

    /// Whether `key` has a value.
    ///
    /// ```
    /// # use indelible::{collections::HashMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, HashMap::<[u8; 16], u64>::new())?;
    /// # let request = [7; 16];
    /// // A request that is sent twice is done once.
    /// for _ in 0..2 {
    ///     region.transact(|tx, done| {
    ///         if !done.contains_key(tx, &request) {
    ///             done.insert(tx, &request, &1)?; // and what it asks for, in the same transaction
    ///         }
    ///         Ok(())
    ///     })?;
    /// }
    /// assert_eq!(region.root().len(&Committed), 1);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    pub fn contains_key<'a>(&'a self, read: &impl Read<'a>, key: &K) -> bool {
        let hash = self.hash(key);
        self.bucket(read, hash).is_some_and(|(_, _, bucket)| find::<K, V>(read, bucket, key, hash).is_some())
    }

    /// Gives `key` this value; returns the old one, which can be read until the transaction ends.
    ///
    /// It is durable when the transaction has committed.
    ///
    /// # Errors
    ///
    /// As for [`Tx::alloc`]. The transaction can't commit then. [`Error::Damaged`](crate::Error::Damaged) if the file
    /// is damaged in a way that opening [does not look for](super#in-a-damaged-file).
    ///
    /// ```
    /// # use indelible::{collections::HashMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, HashMap::<str, u64>::new())?;
    /// region.transact(|tx, ages| {
    ///     assert_eq!(ages.insert(tx, "Ada", &36)?, None);
    ///     assert_eq!(ages.insert(tx, "Ada", &37)?, Some(&36));
    ///     Ok(())
    /// })?; // durable from here on
    /// assert_eq!(region.root().get(&Committed, "Ada"), Some(&37));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn insert<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, key: &K, value: &V) -> Result<Option<&'t V>> {
        self.put(tx, key, value)
    }

    /// Gives `key` the value that `value` makes of the old one; returns the old one.
    ///
    /// The closure may change this map too. What it does to `key` itself is overwritten, and returned as the old
    /// value.
    ///
    /// ```
    /// # use indelible::{collections::HashMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, HashMap::<str, u64>::new())?;
    /// region.transact(|tx, map| {
    ///     for word in "the cat and the dog".split(' ') {
    ///         map.update(tx, word, |count| count.map_or(1, |count| count + 1))?;
    ///     }
    ///     Ok(())
    /// })?;
    /// assert_eq!(region.root().get(&Committed, "the"), Some(&2));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`HashMap::insert`].
    #[track_caller]
    pub fn update<'t, M: Medium, B: Borrow<V>>(
        &'t self,
        tx: &Tx<'t, M>,
        key: &K,
        value: impl FnOnce(Option<&'t V>) -> B,
    ) -> Result<Option<&'t V>> {
        // `put` searches again, because the closure, and `borrow`, may have changed this map.
        let value = value(self.get(tx, key));
        self.put(tx, key, value.borrow())
    }

    /// Takes out `key` and its value, and returns the value.
    ///
    /// # Errors
    ///
    /// As for [`HashMap::insert`]: a bucket is copied without the entry.
    ///
    /// ```
    /// # use indelible::{collections::HashMap, Region};
    /// # let mut region = Region::new(1 << 20, HashMap::<u64, str>::new())?;
    /// region.transact(|tx, map| {
    ///     map.insert(tx, &1, "one")?;
    ///     assert_eq!(map.remove(tx, &1)?, Some("one")); // readable until the transaction ends
    ///     assert_eq!(map.remove(tx, &1)?, None);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn remove<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, key: &K) -> Result<Option<&'t V>> {
        self.take_out(tx, key)
    }

    #[inline(always)]
    fn hash(&self, key: &K) -> u64 {
        xxh3_64_with_seed(key.as_bytes(), self.seed)
    }

    /// The bucket of a hash, its number, and the link to it; `None` if the map was never filled.
    #[inline(always)]
    fn bucket<'a>(
        &'a self,
        read: &impl Read<'a>,
        hash: u64,
    ) -> Option<(usize, &'a SlotOf<K, V>, &'a BucketOf<K, V>)> {
        let mut number = (hash & ((1 << self.depth(read)) - 1)) as usize;
        loop {
            let bucket = self.slot(read, number).and_then(|slot| {
                // The whole first node, where most keys are: which of its lines has the key is known only when the
                // first has arrived.
                slot.prefetch(fetched(size_of::<Node<K::Cell, V::Cell>>()));
                Some((slot, read.get(slot)?))
            });
            match bucket {
                Some((slot, bucket)) => return Some((number, slot, bucket)),
                None if number == 0 => return None,
                None => number -= 1 << (bits(number) - 1),
            }
        }
    }
}

/// How many bits a number has, without leading zeros.
#[inline(always)]
fn bits(number: usize) -> usize {
    (usize::BITS - number.leading_zeros()) as usize
}

/// The byte of a hash that a node keeps: the highest, because the lowest bits number the bucket and are alike in it.
#[inline(always)]
fn tag(hash: u64) -> u8 {
    (hash >> 56) as u8
}

/// The index of `key` in a bucket.
#[inline(always)]
fn find<'a, K: Stored + IntoBytes + Immutable + ?Sized, V: Stored + ?Sized>(
    read: &impl Read<'a>,
    bucket: &'a BucketOf<K, V>,
    key: &K,
    hash: u64,
) -> Option<usize> {
    // Node by node. To count all entries first would be to wait for one more cache line, in the last node.
    for (number, node) in bucket.chunks(1).enumerate() {
        let mut matches = node.tags(0).matching(tag(hash));
        while let Some(index) = matches.first() {
            if index >= node.count() {
                break;
            }
            if K::view(read, node.key(index)).is_some_and(|at| at.as_bytes() == key.as_bytes()) {
                return Some(number * WIDTH + index);
            }
            matches.remove_first();
        }
    }
    None
}
