//! [`Node`]: eight keys and what belongs to each; the maps' nodes are slices of these.
//!
//! A slice has exactly as many as it needs, and all but the last are full. Keys and items stand in arrays of
//! eight so that no pair of types leaves padding between them; cells that are not used repeat one that is.
//! Nodes are never changed, except that a link in one may get another target: an insert makes a new slice.

use super::stored::{Source, Stored};
use crate::medium::Medium;
use crate::state::Dirty;
use crate::{Persistent, Pm, Read, Result, Tx};
use std::cmp::Ordering;

/// Keys in a [`Node`].
pub(crate) const WIDTH: usize = 8;

/// Up to eight keys, with an item each.
#[derive(Persistent)]
#[repr(C)]
pub struct Node<K, X> {
    used: u64,
    /// A byte of each key's hash, in a hash map.
    tags: u64,
    keys: [K; WIDTH],
    items: [X; WIDTH],
}

/// A slice of nodes, as one sequence.
pub(crate) trait Nodes<K, X> {
    fn count(&self) -> usize;
    fn key(&self, index: usize) -> &K;
    fn item(&self, index: usize) -> &X;
    fn tags(&self, node: usize) -> u64;
    fn tag(&self, index: usize) -> u8 {
        (self.tags(index / WIDTH) >> (index % WIDTH * 8)) as u8
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
    fn tags(&self, node: usize) -> u64 {
        self[node].tags
    }
}

/// The first index from `low` on whose key is not `before` (all those that are come first).
#[inline(always)]
pub(crate) fn partition<'a, K: Stored + ?Sized, X>(
    read: &impl Read<'a>,
    nodes: &'a [Node<K::Cell, X>],
    mut low: usize,
    before: impl Fn(&K) -> bool,
) -> usize {
    let mut size = nodes.count().saturating_sub(low);
    while size > 0 {
        let half = size / 2;
        let is_before = K::view(read, nodes.key(low + half)).is_some_and(&before);
        // No branch on the outcome, which nobody can predict.
        low = if is_before { low + half + 1 } else { low };
        size = if is_before { size - half - 1 } else { half };
    }
    low
}

/// The index of `key`, or of the first key after it; whether it is there.
#[inline(always)]
pub(crate) fn search<'a, K: Stored + Ord + ?Sized, X>(
    read: &impl Read<'a>,
    nodes: &'a [Node<K::Cell, X>],
    key: &K,
) -> (usize, bool) {
    let index = partition::<K, X>(read, nodes, 0, |at| at.cmp(key) == Ordering::Less);
    let found =
        index < nodes.count() && K::view(read, nodes.key(index)).is_some_and(|at| at.cmp(key).is_eq());
    (index, found)
}

/// A new slice of nodes with `len` keys and items; `tag` is a byte of the hash of the key at an
/// index.
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

/// One node with `used` keys; cells beyond repeat the last.
#[inline(always)]
pub(crate) fn node_of<K: Persistent, X: Persistent>(
    used: usize,
    key: impl Fn(usize) -> K,
    item: impl Fn(usize) -> X,
    tag: impl Fn(usize) -> u8,
) -> Node<K, X> {
    Node {
        used: used as u64,
        tags: u64::from_le_bytes(std::array::from_fn(|i| if i < used { tag(i) } else { 0 })),
        keys: std::array::from_fn(|i| key(i.min(used - 1))),
        items: std::array::from_fn(|i| item(i.min(used - 1))),
    }
}
