//! [`Node`]: eight keys and what belongs to each; the maps' nodes are slices of these.
//!
//! A slice has exactly as many nodes as it needs, and all but the last are full. Keys and items stand in arrays of
//! eight, so that no pair of types leaves padding between them. Cells that are not used repeat the last that is. A
//! published node is never changed, except that a link in it may get another target: an insert makes a new slice.
//!
//! [`Used`], the number of cells in use, is an enum, so that opening refuses a file with any other number there.

use super::stored::{Source, Stored};
use super::tags::Tags;
use crate::medium::Medium;
use crate::state::Dirty;
use crate::{Error, Link, Persistent, Pm, Read, Result, Tx};

/// Keys in a [`Node`].
pub(crate) const WIDTH: usize = Tags::COUNT;

/// How many keys a [`Node`] has. There is no zero, because no node without keys is made.
#[derive(Clone, Copy, Persistent)]
#[repr(u64)]
pub enum Used {
    One = 1,
    Two,
    Three,
    Four,
    Five,
    Six,
    Seven,
    Eight,
}

impl Used {
    const ALL: [Used; WIDTH] = {
        use Used::*;
        [One, Two, Three, Four, Five, Six, Seven, Eight]
    };
}

/// Up to eight keys, with an item each.
#[derive(Persistent)]
#[repr(C)]
pub struct Node<K, X> {
    used: Used,
    /// In a hash map, a byte of each key's hash; see [`Tags`]. Zero in a tree.
    tags: u64,
    keys: [K; WIDTH],
    items: [X; WIDTH],
}

/// How many bytes of a slice of nodes to prefetch, given the most that it can have. At most 1,280, which are 20 lines:
/// a CPU can't have requests for more under way.
#[inline(always)]
pub(crate) const fn fetched(size: usize) -> usize {
    if size < 1280 { size } else { 1280 }
}

/// A slice of nodes, as one sequence.
pub(crate) trait Nodes<K, X> {
    fn count(&self) -> usize;
    fn key(&self, index: usize) -> &K;
    fn item(&self, index: usize) -> &X;
    fn get_item(&self, index: usize) -> Option<&X>;
    fn tags(&self, node: usize) -> Tags;
    fn tag(&self, index: usize) -> u8 {
        self.tags(index / WIDTH).get(index % WIDTH)
    }
}

impl<K, X> Nodes<K, X> for [Node<K, X>] {
    #[inline(always)]
    fn count(&self) -> usize {
        match self.last() {
            Some(last) => (self.len() - 1) * WIDTH + last.used as usize,
            None => 0,
        }
    }
    #[inline(always)]
    fn key(&self, index: usize) -> &K {
        &self[index / WIDTH].keys[index % WIDTH]
    }
    #[inline(always)]
    fn item(&self, index: usize) -> &X {
        &self[index / WIDTH].items[index % WIDTH]
    }
    #[inline(always)]
    fn get_item(&self, index: usize) -> Option<&X> {
        let node = self.get(index / WIDTH).filter(|node| index % WIDTH < node.used as usize)?;
        Some(&node.items[index % WIDTH])
    }
    #[inline(always)]
    fn tags(&self, node: usize) -> Tags {
        Tags::of(self[node].tags)
    }
}

/// How many keys are `before`. They must be the first of the slice.
#[inline(always)]
pub(crate) fn partition<'a, K: Stored + ?Sized, X>(
    read: &impl Read<'a>,
    nodes: &'a [Node<K::Cell, X>],
    before: impl Fn(&K) -> bool,
) -> usize {
    let before = |key: &'a K::Cell| K::view(read, key).is_some_and(&before);
    // The last node whose first key is `before`, or the first node.
    let Some((_, rest)) = nodes.split_first() else { return 0 };
    let number = lead::<K, _>(rest, |node| before(&node.keys[0]));
    let node = &nodes[number];
    number * WIDTH + lead_of::<K, _>(&node.keys, node.used as usize, before)
}

/// The last index whose key is not above `key`. Index 0 counts as not above it, whatever its key is.
#[inline(always)]
pub(crate) fn last_to<'a, K: Stored + Ord + ?Sized, X>(
    read: &impl Read<'a>,
    nodes: &'a [Node<K::Cell, X>],
    key: &K,
) -> usize {
    let before = |at: &'a K::Cell| K::view(read, at).is_some_and(|at| at.cmp(key).is_le());
    let number = lead::<K, _>(&nodes[1..], |node| before(&node.keys[0])); // not empty, see `some`
    let node = &nodes[number];
    number * WIDTH + lead_of::<K, _>(&node.keys[1..], node.used as usize - 1, before)
}

/// The index of `key`, or of the first key after it; whether it is there.
#[inline(always)]
pub(crate) fn search<'a, K: Stored + Ord + ?Sized, X>(
    read: &impl Read<'a>,
    nodes: &'a [Node<K::Cell, X>],
    key: &K,
) -> (usize, bool) {
    let after = partition::<K, X>(read, nodes, |at| at.cmp(key).is_le());
    let is_key = |index| K::view(read, nodes.key(index)).is_some_and(|at| at.cmp(key).is_eq());
    match after.checked_sub(1) {
        Some(index) if is_key(index) => (index, true),
        _ => (after, false),
    }
}

/// How many of the first `used` keys of a node are `before`.
#[inline(always)]
fn lead_of<'a, K: Stored + ?Sized, C>(keys: &'a [C], used: usize, before: impl Fn(&'a C) -> bool) -> usize {
    // All eight keys, because the compiler knows that number. Those from `used` on repeat the last one in use, so that
    // `min` is all they need.
    if K::LINKED { lead::<K, _>(&keys[..used], before) } else { lead::<K, _>(keys, before).min(used) }
}

/// How many are `before`. They must be the first.
///
/// Keys that lie in the node are all compared. That takes no branch, which would often be mispredicted, and no load waits
/// for another, so that the cache lines arrive side by side. Keys behind links are searched by halves, because each look
/// is a cache line elsewhere.
#[inline(always)]
fn lead<'a, K: Stored + ?Sized, T>(sorted: &'a [T], before: impl Fn(&'a T) -> bool) -> usize {
    if !K::LINKED {
        return sorted.iter().map(|one| usize::from(before(one))).sum();
    }
    let (mut low, mut size) = (0, sorted.len());
    while size > 0 {
        let half = size / 2;
        match before(&sorted[low + half]) {
            true => (low, size) = (low + half + 1, size - half - 1),
            false => size = half,
        }
    }
    low
}

/// A new slice of nodes with `len` keys and items. `tag` returns a byte of the hash of the key at an index.
#[inline]
#[track_caller]
pub(crate) fn build<'t, 'n, M: Medium, K: Stored + ?Sized, V: Stored + ?Sized>(
    tx: &Tx<'t, M>,
    len: usize,
    key: impl Fn(usize) -> Source<'t, 'n, K>,
    item: impl Fn(usize) -> Source<'t, 'n, V>,
    tag: impl Fn(usize) -> u8,
) -> Result<Pm<'t, [Node<K::Cell, V::Cell>], Dirty>> {
    let mut new = tx.alloc_slice_with(len.div_ceil(WIDTH), |node| {
        let first = node * WIDTH;
        node_of(
            (len - first).min(WIDTH),
            |i| K::cell(key(first + i)),
            |i| V::cell(item(first + i)),
            |i| tag(first + i),
        )
    })?;
    if K::LINKED {
        for i in 0..len {
            K::settle(tx, &mut new, |new| new.key(i), key(i))?;
        }
    }
    if V::LINKED {
        for i in 0..len {
            V::settle(tx, &mut new, |new| new.item(i), item(i))?;
        }
    }
    Ok(new)
}

/// One node with `used` keys. The other cells repeat the last.
#[inline(always)]
pub(crate) fn node_of<K: Persistent, X: Persistent>(
    used: usize,
    key: impl Fn(usize) -> K,
    item: impl Fn(usize) -> X,
    tag: impl Fn(usize) -> u8,
) -> Node<K, X> {
    Node {
        used: Used::ALL[used - 1],
        tags: u64::from_le_bytes(std::array::from_fn(|i| if i < used { tag(i) } else { 0 })),
        keys: std::array::from_fn(|i| key(i.min(used - 1))),
        items: std::array::from_fn(|i| item(i.min(used - 1))),
    }
}

/// The slice of nodes behind a link, if it has nodes. Only an empty bucket of a hash map is made without nodes, but in a
/// damaged file a link in a tree may lead to such a slice.
#[inline(always)]
pub(crate) fn some<'a, K: Persistent, X: Persistent>(
    read: &impl Read<'a>,
    slot: &'a Link<[Node<K, X>]>,
) -> Option<&'a [Node<K, X>]> {
    read.get(slot).filter(|nodes| !nodes.is_empty())
}

/// The error for a map that is damaged in a file that opening accepted. Opening checks each object by itself, not whether
/// the objects of a map agree.
#[cold]
pub(crate) fn damaged<M: Medium, T>(tx: &Tx<'_, M>, at: &T, found: &str, expected: &str) -> Error {
    tx.damaged(std::ptr::from_ref(at).addr(), "a map", found, expected)
}
