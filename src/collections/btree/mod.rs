//! [`BTreeMap`]: an ordered map with copy-on-write nodes.
//!
//! A leaf is a slice of [`Node`]s with keys and values; an inner node is one with separators and children. All leaves
//! have the same depth. A key belongs to the last child whose separator is not above it; the first separator
//! of an inner node counts as below every key.
//!
//! To insert, a leaf is copied with the new entry and published into the one link that led to the old. If it is
//! full, its parent is copied with two children in its place, and so on upwards: still one published word.
//!
//! # What was decided by measurement
//!
//! Each by `benches/databases/run --maps`, which has our maps in several shapes beside std's, with 8-byte and 16-byte
//! keys and values of 100 bytes. Change the constant and run it again.
//!
//! - **Leaves of about a kilobyte** (`leaf_capacity`). With two, scans were about a fifth faster, and replacing a
//!   value took up to a fifth longer, for it copies and flushes the leaf. An insert took the same.
//! - **Inner nodes of 32 children** (`INNER_CAPACITY`). With 16, inserts and reads differed by less than the runs did.
//!   An inner node is copied only when a leaf splits or vanishes.
//! - **`rebuild` leaves one place in eight free.** Each first insert into a full leaf splits it and copies its parent:
//!   the inserts that follow a `rebuild` took three times as long.
//! - **Values of 100 bytes in the node.** Behind links (`[u8]`) replacing one is a fifth faster and an insert slower, by
//!   up to a third, because each link of a leaf that is copied moves; a read waits for one more cache line. So what
//!   lies where is left to the value's type, see [`Stored`].
//! - **A node is asked for as a whole, before its first line has come** (`Child::prefetch`). Without it, an inner node
//!   costs four waits one after the other and a leaf two: reads took half as long again with 8-byte keys, twice as long
//!   with 16-byte ones, and changes, which copy the leaf, a quarter to two fifths longer. A map that is in the cache as a
//!   whole doesn't notice.
//! - **A scan asks for leaves two ahead** (`prefetch_from`): it takes three fifths of the time. With one ahead it was a
//!   little slower; with three or more no faster, and after many changes slower.
//! - **A key is compared with all of a node** where it lies in the node: the compiler makes no branch of it, and
//!   no load waits for another. Keys behind links are searched by halves.

mod change;
mod iter;
mod rebuild;

pub use iter::Iter;

use super::node::{Node, Nodes, WIDTH, fetched, last_to, search, some};
use super::stored::{Layout, Stored};
use crate::medium::Medium;
use crate::{Link, Persistent, Read, Result, Tx};
use std::borrow::Borrow;
use std::ops::{Bound, RangeBounds};

/// A leaf: keys and values in order.
type Leaf<K, V> = [Node<K, V>];
/// An inner node: separators and children.
type Inner<K, V> = [Node<K, Child<K, V>>];

type LeafOf<K, V> = Leaf<<K as Layout>::Cell, <V as Layout>::Cell>;
type InnerOf<K, V> = Inner<<K as Layout>::Cell, <V as Layout>::Cell>;
type ChildOf<K, V> = Child<<K as Layout>::Cell, <V as Layout>::Cell>;

/// A child of an inner node. One of the two links is null.
#[derive(Persistent)]
#[repr(C)]
pub struct Child<K, V> {
    leaf: Link<Leaf<K, V>>,
    inner: Link<Inner<K, V>>,
}

impl<K: Persistent, V: Persistent> Child<K, V> {
    /// Begins to fetch the whole node: which of its lines is needed is known only when another has arrived.
    #[inline(always)]
    fn prefetch(&self) {
        self.prefetch_leaf();
        self.inner.prefetch(fetched(INNER_CAPACITY / WIDTH * size_of::<Node<K, Child<K, V>>>()));
    }

    /// Begins to fetch the node, if it is a leaf.
    #[inline(always)]
    fn prefetch_leaf(&self) {
        let node = size_of::<Node<K, V>>();
        self.leaf.prefetch(fetched(capacity(node) / WIDTH * node));
    }
}

/// An ordered map from `K` to `V`; 8 bytes in its owner, one link.
///
/// | | fences | published words |
/// |---|---|---|
/// | `insert`, `remove`, `update` | 1 in all, whatever the size and height, or 2 where more than 2 KiB are copied; several in one transaction share them | 1 each |
/// | `insert` of a key that is there already, with `str` or slice values | 1 (2 above 2 KiB) | 1, and no node is copied |
/// | `clear`, `rebuild` | 1, 2 | 1 |
/// | reads | 0 | 0 |
///
/// Reads are given what they read through: a transaction shows its own changes, and
/// [`Committed`](crate::Committed) what is committed. References that they return live as long as the borrow of
/// the map, in a transaction until its end: so `insert` and `remove` can return a reference to the old value.
///
/// Keys whose `Ord` is no order, or changes, give what they give in std: wrong answers, panics, iterators that don't
/// end. The region stays valid whatever they do.
///
/// There is no length in it, because that would be a second published word for each insert. [`BTreeMap::len`]
/// counts. Keep a [`Word`](crate::Word) beside the map if you need it at once, and store it in the same
/// transaction: no fence more.
///
/// ```
/// use indelible::collections::BTreeMap;
/// use indelible::{Committed, Persistent, Region};
///
/// #[derive(Persistent)]
/// #[repr(C)]
/// struct Root { ages: BTreeMap<str, u32> }
///
/// let mut region = Region::new(1 << 20, Root { ages: BTreeMap::new() })?;
/// region.transact(|tx, root| {
///     root.ages.insert(tx, "Ada", &36)?;
///     assert_eq!(root.ages.insert(tx, "Ada", &37)?, Some(&36));
///     assert_eq!(root.ages.get(tx, "Ada"), Some(&37)); // this transaction's own change
///     Ok(())
/// })?;
/// assert_eq!(region.root().ages.get(&Committed, "Ada"), Some(&37));
/// # Ok::<(), indelible::Error>(())
/// ```
#[derive(Persistent)]
#[repr(C)]
pub struct BTreeMap<K: Stored + ?Sized, V: Stored + ?Sized> {
    root: Link<InnerOf<K, V>>,
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> Default for BTreeMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> BTreeMap<K, V> {
    /// An empty map.
    pub const fn new() -> Self {
        BTreeMap { root: Link::null() }
    }

    /// Whether there is no entry.
    ///
    /// ```
    /// # use indelible::{collections::BTreeMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, BTreeMap::<u64, u64>::new())?;
    /// assert!(region.root().is_empty(&Committed));
    /// region.transact(|tx, map| {
    ///     map.insert(tx, &1, &10)?;
    ///     assert!(!map.is_empty(tx)); // as the transaction sees it
    ///     Ok(())
    /// })?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn is_empty<'a>(&'a self, read: &impl Read<'a>) -> bool {
        read.get(&self.root).is_none()
    }

    /// Takes out all entries and frees them: one published word, and one fence. They are gone for good when the
    /// transaction has committed.
    ///
    /// ```
    /// # use indelible::{collections::BTreeMap, Region};
    /// # let mut region = Region::new(1 << 20, BTreeMap::<u64, u64>::new())?;
    /// region.transact(|tx, map| {
    ///     map.insert(tx, &1, &10)?;
    ///     map.clear(tx);
    ///     assert!(map.is_empty(tx));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[track_caller]
    pub fn clear<'t, M: Medium>(&'t self, tx: &Tx<'t, M>) {
        tx.free(tx.take(&self.root));
    }
}

impl<K: Stored + Ord + ?Sized, V: Stored + ?Sized> BTreeMap<K, V> {
    /// The value of `key`.
    ///
    /// ```
    /// # use indelible::{collections::BTreeMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, BTreeMap::<u64, u64>::new())?;
    /// region.transact(|tx, map| map.insert(tx, &1, &10).map(drop))?;
    /// assert_eq!(region.root().get(&Committed, &1), Some(&10));
    /// assert_eq!(region.root().get(&Committed, &2), None);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    pub fn get<'a>(&'a self, read: &impl Read<'a>, key: &K) -> Option<&'a V> {
        let leaf = self.leaf_of(read, key)?;
        match search::<K, _>(read, leaf, key) {
            (index, true) => V::view(read, leaf.item(index)),
            (_, false) => None,
        }
    }

    /// Whether `key` has a value.
    ///
    /// ```
    /// # use indelible::{collections::BTreeMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, BTreeMap::<str, u64>::new())?;
    /// region.transact(|tx, map| {
    ///     if !map.contains_key(tx, "Ada") {
    ///         map.insert(tx, "Ada", &36)?; // once, however often this runs
    ///     }
    ///     Ok(())
    /// })?;
    /// assert!(region.root().contains_key(&Committed, "Ada"));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    #[inline]
    pub fn contains_key<'a>(&'a self, read: &impl Read<'a>, key: &K) -> bool {
        self.leaf_of(read, key).is_some_and(|leaf| search::<K, _>(read, leaf, key).1)
    }

    /// The entry with the least key.
    ///
    /// ```
    /// # use indelible::{collections::BTreeMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, BTreeMap::<u64, u64>::new())?;
    /// region.transact(|tx, map| map.rebuild(tx, [(1, 10), (2, 20), (3, 30)]))?;
    /// let map = region.root();
    /// assert_eq!(map.first(&Committed), Some((&1, &10)));
    /// assert_eq!(map.last(&Committed), Some((&3, &30)));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn first<'a>(&'a self, read: &impl Read<'a>) -> Option<(&'a K, &'a V)> {
        self.iter(read).next()
    }

    /// The entry with the greatest key.
    ///
    /// ```
    /// # use indelible::{collections::BTreeMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, BTreeMap::<u64, str>::new())?;
    /// // A queue with numbers: the next is one above the last.
    /// for line in ["first", "second"] {
    ///     region.transact(|tx, queue| {
    ///         let number = queue.last(tx).map_or(0, |(last, _)| last + 1);
    ///         queue.insert(tx, &number, line).map(drop)
    ///     })?;
    /// }
    /// assert_eq!(region.root().last(&Committed), Some((&1, "second")));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn last<'a>(&'a self, read: &impl Read<'a>) -> Option<(&'a K, &'a V)> {
        self.iter(read).next_back()
    }

    /// How many entries there are: counted, which reads one cache line of each leaf.
    ///
    /// ```
    /// # use indelible::{collections::BTreeMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, BTreeMap::<u64, u64>::new())?;
    /// region.transact(|tx, map| map.rebuild(tx, (0..100).map(|n| (n, n))))?;
    /// assert_eq!(region.root().len(&Committed), 100);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn len<'a>(&'a self, read: &impl Read<'a>) -> usize {
        let mut inner = match read.get(&self.root) {
            Some(root) => vec![root],
            None => Vec::new(),
        };
        let mut len = 0;
        while let Some(node) = inner.pop() {
            for index in 0..node.count() {
                let child = node.item(index);
                len += read.get(&child.leaf).map_or(0, Nodes::count);
                inner.extend(read.get(&child.inner));
            }
        }
        len
    }

    /// All entries in the order of their keys; from both ends.
    ///
    /// An iterator through a transaction may or may not show what the transaction changes while it runs; it
    /// never shows a key twice, and always in order.
    ///
    /// ```
    /// # use indelible::{collections::BTreeMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, BTreeMap::<u64, u64>::new())?;
    /// region.transact(|tx, map| map.rebuild(tx, (0..100).map(|n| (n, n * n))))?;
    /// let map = region.root();
    /// assert_eq!(map.iter(&Committed).map(|(_, square)| square).sum::<u64>(), 328_350);
    /// assert_eq!(map.iter(&Committed).rev().nth(1), Some((&98, &9604)));
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn iter<'r, 'a, R: Read<'a>>(&'a self, read: &'r R) -> Iter<'r, 'a, R, K, V> {
        Iter::new(self, read, Bound::Unbounded, Bound::Unbounded)
    }

    /// The entries whose keys lie in `bounds`; from both ends. An empty range has none, also one whose start
    /// is after its end.
    ///
    /// ```
    /// # use indelible::{collections::BTreeMap, Committed, Region};
    /// use std::ops::Bound::{Included, Unbounded};
    ///
    /// # let mut region = Region::new(1 << 20, BTreeMap::<u64, u64>::new())?;
    /// region.transact(|tx, map| map.rebuild(tx, (0..100).map(|n| (n, n))))?;
    /// assert_eq!(region.root().range(&Committed, 10..20).count(), 10);
    ///
    /// // Bounds of `str` are a pair, as in std.
    /// # let mut region = Region::new(1 << 20, BTreeMap::<str, u64>::new())?;
    /// region.transact(|tx, map| map.rebuild(tx, [("apple", 1), ("pea", 2), ("pear", 3), ("plum", 4)]))?;
    /// let from = (Included("pea"), Unbounded);
    /// let peas = region.root().range(&Committed, from).take_while(|(key, _)| key.starts_with("pea"));
    /// assert_eq!(peas.count(), 2);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn range<'r, 'a, R: Read<'a>>(
        &'a self,
        read: &'r R,
        bounds: impl RangeBounds<K>,
    ) -> Iter<'r, 'a, R, K, V> {
        Iter::new(self, read, bounds.start_bound(), bounds.end_bound())
    }

    /// Gives `key` this value; returns the old one.
    ///
    /// It is durable when the transaction has committed.
    ///
    /// # Errors
    ///
    /// As for [`Tx::alloc`]. The transaction can't commit then. [`Error::Damaged`](crate::Error::Damaged) if the file
    /// is damaged in a way that opening [does not look for](super#in-a-damaged-file).
    ///
    /// ```
    /// # use indelible::{collections::BTreeMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, BTreeMap::<str, u64>::new())?;
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
    /// # use indelible::{collections::BTreeMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, BTreeMap::<str, u64>::new())?;
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
    /// As for [`BTreeMap::insert`].
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
    /// ```
    /// # use indelible::{collections::BTreeMap, Region};
    /// # let mut region = Region::new(1 << 20, BTreeMap::<u64, str>::new())?;
    /// region.transact(|tx, map| {
    ///     map.insert(tx, &1, "one")?;
    ///     assert_eq!(map.remove(tx, &1)?, Some("one")); // readable until the transaction ends
    ///     assert_eq!(map.remove(tx, &1)?, None);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), indelible::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`BTreeMap::insert`]: a node is copied without the entry.
    #[track_caller]
    pub fn remove<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, key: &K) -> Result<Option<&'t V>> {
        self.take_out(tx, key)
    }

    /// The leaf that `key` belongs to.
    #[inline(always)]
    fn leaf_of<'a>(&'a self, read: &impl Read<'a>, key: &K) -> Option<&'a LeafOf<K, V>> {
        let mut inner = some(read, &self.root)?;
        loop {
            let child = inner.item(child_of::<K, V>(read, inner, key));
            child.prefetch();
            match read.get(&child.leaf) {
                Some(leaf) => return Some(leaf),
                None => inner = some(read, &child.inner)?,
            }
        }
    }
}

/// The index of the child that `key` belongs to.
#[inline(always)]
fn child_of<'a, K: Stored + Ord + ?Sized, V: Stored + ?Sized>(
    read: &impl Read<'a>,
    inner: &'a InnerOf<K, V>,
    key: &K,
) -> usize {
    last_to::<K, _>(read, inner, key)
}

/// The most entries in a leaf.
const fn leaf_capacity<K: Stored + ?Sized, V: Stored + ?Sized>() -> usize {
    capacity(size_of::<Node<K::Cell, V::Cell>>())
}

/// The most entries in a leaf of nodes of this size: as many as lie in about a kilobyte, and at least eight.
const fn capacity(node: usize) -> usize {
    match 1024 / node {
        0 => WIDTH,
        nodes @ 1..=4 => nodes * WIDTH,
        _ => 4 * WIDTH,
    }
}

/// The most children of an inner node.
const INNER_CAPACITY: usize = 4 * WIDTH;
