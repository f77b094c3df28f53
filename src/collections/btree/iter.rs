//! [`Iter`]: the entries of a range, from both ends.
//!
//! The entries that are left lie between two bounds. Each end has a run of them: entries of one leaf, which are returned
//! without another look at the tree or at the bounds. After a run comes the next leaf of the same parent. When the parent
//! has no more, or the transaction that is read through has moved something away, the tree is searched from the root for
//! what lies within the bounds.

use super::{BTreeMap, Inner, InnerOf, LeafOf, child_of};
use crate::collections::node::{Nodes, partition, some};
use crate::collections::stored::Stored;
use crate::{Persistent, Read};
use std::fmt;
use std::iter::FusedIterator;
use std::ops::{Bound, Range};

/// The entries of a [`BTreeMap`] in order, as [`BTreeMap::iter`] and [`BTreeMap::range`] return them.
pub struct Iter<'r, 'a, R, K: Stored + ?Sized, V: Stored + ?Sized> {
    map: &'a BTreeMap<K, V>,
    read: &'r R,
    /// The lower bound of the keys that are left.
    low: Bound<&'a K>,
    /// Their upper bound.
    high: Bound<&'a K>,
    /// The first entries that are left, if their leaf was searched for.
    front: Run<'a, K, V>,
    /// The last entries that are left. Of two runs in one leaf one is empty: both ends take from the other.
    back: Run<'a, K, V>,
    /// Whether nothing is left.
    done: bool,
}

/// Some entries of one leaf, and which child of its parent the leaf is.
struct Run<'a, K: Stored + ?Sized, V: Stored + ?Sized> {
    leaf: &'a LeafOf<K, V>,
    left: Range<usize>,
    parent: &'a InnerOf<K, V>,
    child: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Front,
    Back,
}
use Side::{Back, Front};

impl<'a, K: Stored + ?Sized, V: Stored + ?Sized> Run<'a, K, V> {
    const NONE: Self = Run { leaf: &[], left: 0..0, parent: &[], child: 0 };

    fn is_in(&self, leaf: &LeafOf<K, V>) -> bool {
        std::ptr::eq(self.leaf, leaf)
    }

    fn key(&self, read: &impl Read<'a>, side: Side) -> Option<&'a K> {
        let index = if side == Front { self.left.start } else { self.left.end - 1 };
        K::view(read, self.leaf.key(index))
    }
}

impl<'r, 'a, R: Read<'a>, K: Stored + Ord + ?Sized, V: Stored + ?Sized> Iter<'r, 'a, R, K, V> {
    #[inline]
    pub(super) fn new(map: &'a BTreeMap<K, V>, read: &'r R, start: Bound<&K>, end: Bound<&K>) -> Self {
        let (low, high) = (Bound::Unbounded, Bound::Unbounded);
        let mut iter = Iter { map, read, low, high, front: Run::NONE, back: Run::NONE, done: false };
        // The caller's bounds needn't live as long as the iterator. So they are replaced by the keys of the first and the
        // last entry, which do.
        if !matches!(start, Bound::Unbounded) {
            iter.bound(Front, start, end);
        }
        if !matches!(end, Bound::Unbounded) && !iter.done {
            iter.bound(Back, start, end);
        }
        iter
    }

    /// Finds the entry at one end, and makes its key the bound.
    fn bound(&mut self, side: Side, start: Bound<&K>, end: Bound<&K>) {
        let found = self.descend(side, start, end).and_then(|run| Some((run.key(self.read, side)?, run)));
        match (found, side) {
            (None, _) => self.done = true,
            (Some((key, run)), Front) => (self.low, self.front) = (Bound::Included(key), run),
            (Some((key, run)), Back) => {
                self.high = Bound::Included(key);
                self.back = run;
                if self.front.is_in(self.back.leaf) {
                    self.back.left = 0..0;
                }
            }
        }
    }

    /// The first or the last entries within these bounds, as many as lie in one leaf. Searches from the root.
    fn descend(&self, side: Side, low: Bound<&K>, high: Bound<&K>) -> Option<Run<'a, K, V>> {
        let bound = if side == Front { low } else { high };
        let mut inner = some(self.read, &self.map.root)?;
        // The deepest child beside the path, on the side to which the iterator goes on.
        let mut turn = None;
        loop {
            let child = match bound {
                Bound::Included(key) | Bound::Excluded(key) => child_of::<K, V>(self.read, inner, key),
                Bound::Unbounded if side == Front => 0,
                Bound::Unbounded => inner.count() - 1,
            };
            match side {
                Front if child + 1 < inner.count() => turn = Some((inner, child + 1)),
                Back if child > 0 => turn = Some((inner, child - 1)),
                _ => {}
            }
            inner.item(child).prefetch();
            match self.read.get(&inner.item(child).leaf) {
                Some(leaf) => match self.clip(leaf, low, high) {
                    left if left.is_empty() => break,
                    left => {
                        let goes_on = if side == Front { left.end == leaf.count() } else { left.start == 0 };
                        if goes_on {
                            prefetch_from(side, inner, child, 1);
                            prefetch_from(side, inner, child, 2);
                        }
                        return Some(Run { leaf, left, parent: inner, child });
                    }
                },
                None => inner = some(self.read, &inner.item(child).inner)?,
            }
        }
        // No key of that leaf is within the bounds. If any key is, the next leaf has it.
        let (mut inner, mut child) = turn?;
        loop {
            inner.item(child).prefetch();
            prefetch_from(side, inner, child, 1);
            prefetch_from(side, inner, child, 2);
            if let Some(leaf) = self.read.get(&inner.item(child).leaf) {
                let left = self.clip(leaf, low, high);
                return (!left.is_empty()).then_some(Run { leaf, left, parent: inner, child });
            }
            inner = some(self.read, &inner.item(child).inner)?;
            child = if side == Front { 0 } else { inner.count() - 1 };
        }
    }

    /// The entries of a leaf that are within these bounds.
    fn clip(&self, leaf: &'a LeafOf<K, V>, low: Bound<&K>, high: Bound<&K>) -> Range<usize> {
        let from = match low {
            Bound::Included(low) => partition::<K, _>(self.read, leaf, |key| key < low),
            Bound::Excluded(low) => partition::<K, _>(self.read, leaf, |key| key <= low),
            Bound::Unbounded => 0,
        };
        let to = match high {
            Bound::Included(high) => partition::<K, _>(self.read, leaf, |key| key <= high),
            Bound::Excluded(high) => partition::<K, _>(self.read, leaf, |key| key < high),
            Bound::Unbounded => leaf.count(),
        };
        from..to
    }

    /// The entries of the leaf after the one that an end has used up, if it is a child of the same parent.
    #[inline]
    fn neighbour(&self, side: Side) -> Option<Run<'a, K, V>> {
        let Run { parent, child, .. } = if side == Front { &self.front } else { &self.back };
        let child = if side == Front { child + 1 } else { child.checked_sub(1)? };
        let leaf = some(self.read, &parent.get_item(child)?.leaf)?;
        prefetch_from(side, parent, child, 2);
        // Most leaves lie within the bounds as a whole, which one comparison shows. The bound at the side from which the end
        // comes needs none: the leaf lies beyond it.
        let is_within = match (side, self.low, self.high) {
            (Front, _, Bound::Unbounded) | (Back, Bound::Unbounded, _) => true,
            (Front, _, Bound::Included(high) | Bound::Excluded(high)) => {
                K::view(self.read, leaf.key(leaf.count() - 1)).is_some_and(|last| last < high)
            }
            (Back, Bound::Included(low) | Bound::Excluded(low), _) => {
                K::view(self.read, leaf.key(0)).is_some_and(|first| first > low)
            }
        };
        let left = if is_within { 0..leaf.count() } else { self.clip(leaf, self.low, self.high) };
        (!left.is_empty()).then_some(Run { leaf, left, parent, child })
    }

    /// Whether a run lies beyond what was returned. It doesn't only if the keys' order has changed since they were
    /// inserted. The iterator then ends, instead of running in a circle.
    #[inline]
    fn goes_on(&self, side: Side, run: &Run<'a, K, V>) -> bool {
        let ends = run.key(self.read, Front).zip(run.key(self.read, Back));
        ends.is_none_or(|(first, last)| {
            first <= last
                && match (side, self.low, self.high) {
                    (Front, Bound::Included(low), _) => first >= low,
                    (Front, Bound::Excluded(low), _) => first > low,
                    (Back, _, Bound::Included(high)) => last <= high,
                    (Back, _, Bound::Excluded(high)) => last < high,
                    _ => true,
                }
        })
    }

    /// Gives an end that is used up its next entries. Returns whether there are any.
    fn refill(&mut self, side: Side) -> bool {
        let run = self.neighbour(side).or_else(|| self.descend(side, self.low, self.high));
        let Some(mut run) = run.filter(|run| self.goes_on(side, run)) else {
            self.done = true;
            return false;
        };
        let other = if side == Front { &mut self.back } else { &mut self.front };
        if !other.left.is_empty() {
            if other.is_in(run.leaf) {
                // The other end has the rest of this leaf already, and keeps it: `step` takes from there.
                run.left = 0..0;
            } else {
                // The other end may have an older copy of this leaf, which the transaction has replaced. Its run then
                // overlaps this one, and it searches anew.
                let (near, far) = (run.key(self.read, opposite(side)), other.key(self.read, side));
                let apart = near.zip(far).is_some_and(|(near, far)| match side {
                    Front => near < far,
                    Back => near > far,
                });
                if !apart {
                    *other = Run::NONE;
                }
            }
        }
        match side {
            Front => self.front = run,
            Back => self.back = run,
        }
        true
    }

    /// The index of the next entry of an end, and its leaf.
    #[inline(always)]
    fn step(&mut self, side: Side) -> Option<(&'a LeafOf<K, V>, usize)> {
        loop {
            let (this, other) = match side {
                Front => (&mut self.front, &mut self.back),
                Back => (&mut self.back, &mut self.front),
            };
            if !this.left.is_empty() {
                let index = if side == Front { this.left.next() } else { this.left.next_back() };
                return index.map(|index| (this.leaf, index));
            }
            if !other.left.is_empty() && other.is_in(this.leaf) {
                let index = if side == Front { other.left.next() } else { other.left.next_back() };
                return index.map(|index| (other.leaf, index));
            }
            if self.done || !self.refill(side) {
                return None;
            }
        }
    }

    /// The next entry of an end.
    #[inline(always)]
    fn entry(&mut self, side: Side) -> Option<(&'a K, &'a V)> {
        let (leaf, index) = self.step(side)?;
        match K::view(self.read, leaf.key(index)).zip(V::view(self.read, leaf.item(index))) {
            Some(entry) => Some(entry),
            None => self.entry_anew(side),
        }
    }

    /// The next entry of an end whose leaf was replaced meanwhile: both ends are searched for again, from the root.
    #[cold]
    fn entry_anew(&mut self, side: Side) -> Option<(&'a K, &'a V)> {
        (self.front, self.back) = (Run::NONE, Run::NONE);
        let (leaf, index) = self.step(side)?;
        let entry = K::view(self.read, leaf.key(index)).zip(V::view(self.read, leaf.item(index)));
        if entry.is_none() {
            (self.front, self.back, self.done) = (Run::NONE, Run::NONE, true);
        }
        entry
    }
}

/// Begins to fetch the leaf that is `far` children beyond this one, if the parent has it. While one leaf is read, two are
/// under way: reading takes about as long as fetching.
#[inline(always)]
fn prefetch_from<K: Persistent, V: Persistent>(side: Side, parent: &Inner<K, V>, child: usize, far: usize) {
    let at = if side == Front { child.checked_add(far) } else { child.checked_sub(far) };
    if let Some(child) = at.and_then(|at| parent.get_item(at)) {
        child.prefetch_leaf();
    }
}

/// The other side.
fn opposite(side: Side) -> Side {
    if side == Front { Back } else { Front }
}

impl<'a, R: Read<'a>, K: Stored + Ord + ?Sized, V: Stored + ?Sized> Iterator for Iter<'_, 'a, R, K, V> {
    type Item = (&'a K, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entry(Front)?;
        self.low = Bound::Excluded(entry.0);
        Some(entry)
    }
}

impl<'a, R: Read<'a>, K: Stored + Ord + ?Sized, V: Stored + ?Sized> DoubleEndedIterator
    for Iter<'_, 'a, R, K, V>
{
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let entry = self.entry(Back)?;
        self.high = Bound::Excluded(entry.0);
        Some(entry)
    }
}

impl<'a, R: Read<'a>, K: Stored + Ord + ?Sized, V: Stored + ?Sized> FusedIterator for Iter<'_, 'a, R, K, V> {}

impl<R, K: Stored + ?Sized, V: Stored + ?Sized> fmt::Debug for Iter<'_, '_, R, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").field("at_end", &self.done).finish_non_exhaustive()
    }
}
