//! [`Iter`]: the entries of a range, from both ends.
//!
//! Each end is a place in a leaf and in the leaf's parent. When the parent is used up, or something in it was
//! moved away by the transaction that it reads through, the tree is searched again for the next key.

use super::{BTreeMap, InnerOf, LeafOf, child_of};
use crate::Read;
use crate::collections::node::{Nodes, partition};
use crate::collections::stored::Stored;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Bound;

/// The entries of a [`BTreeMap`] in order, as [`BTreeMap::iter`] and [`BTreeMap::range`] answer them.
pub struct Iter<'r, 'a, R, K: Stored + ?Sized, V: Stored + ?Sized> {
    map: &'a BTreeMap<K, V>,
    read: &'r R,
    /// The next entry of each end; `None` if there is none left between them.
    ends: Option<(Place<'a, K, V>, Place<'a, K, V>)>,
}

/// An entry, and where it lies.
struct Place<'a, K: Stored + ?Sized, V: Stored + ?Sized> {
    parent: &'a InnerOf<K, V>,
    child: usize,
    leaf: &'a LeafOf<K, V>,
    index: usize,
    key: &'a K,
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> Clone for Place<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K: Stored + ?Sized, V: Stored + ?Sized> Copy for Place<'_, K, V> {}

impl<'r, 'a, R: Read<'a>, K: Stored + Ord + ?Sized, V: Stored + ?Sized> Iter<'r, 'a, R, K, V> {
    pub(super) fn new(map: &'a BTreeMap<K, V>, read: &'r R, start: Bound<&K>, end: Bound<&K>) -> Self {
        let mut iter = Iter { map, read, ends: None };
        iter.ends = iter.seek(start).zip(iter.seek_back(end)).filter(|(front, back)| front.key <= back.key);
        iter
    }

    /// The first entry in a range with this start.
    fn seek(&self, start: Bound<&K>) -> Option<Place<'a, K, V>> {
        let (parent, child, leaf) = self.descend(|inner| match start {
            Bound::Unbounded => 0,
            Bound::Included(key) | Bound::Excluded(key) => child_of::<K, V>(self.read, inner, key),
        })?;
        let index = match start {
            Bound::Unbounded => 0,
            Bound::Included(key) => partition::<K, _>(self.read, leaf, 0, |at| at < key),
            Bound::Excluded(key) => partition::<K, _>(self.read, leaf, 0, |at| at <= key),
        };
        match index < leaf.count() {
            true => self.place(parent, child, leaf, index),
            // The leaf's own keys all lie before: the next leaf's first is what is wanted.
            false => self.neighbour(parent, child, leaf, Ordering::Greater),
        }
    }

    /// The last entry in a range with this end.
    fn seek_back(&self, end: Bound<&K>) -> Option<Place<'a, K, V>> {
        let (parent, child, leaf) = self.descend(|inner| match end {
            Bound::Unbounded => inner.count() - 1,
            Bound::Included(key) | Bound::Excluded(key) => child_of::<K, V>(self.read, inner, key),
        })?;
        let after = match end {
            Bound::Unbounded => leaf.count(),
            Bound::Included(key) => partition::<K, _>(self.read, leaf, 0, |at| at <= key),
            Bound::Excluded(key) => partition::<K, _>(self.read, leaf, 0, |at| at < key),
        };
        match after {
            0 => self.neighbour(parent, child, leaf, Ordering::Less),
            _ => self.place(parent, child, leaf, after - 1),
        }
    }

    /// The nearest entry outside of a leaf, on one side of it.
    fn neighbour(
        &self,
        parent: &'a InnerOf<K, V>,
        child: usize,
        leaf: &'a LeafOf<K, V>,
        side: Ordering,
    ) -> Option<Place<'a, K, V>> {
        let next = match side {
            Ordering::Less => child.checked_sub(1),
            _ => Some(child + 1).filter(|&next| next < parent.count()),
        };
        if let Some(next) = next
            && let Some(leaf) = self.read.get(&parent.item(next).leaf)
        {
            let index = if side.is_lt() { leaf.count() - 1 } else { 0 };
            if let Some(place) = self.place(parent, next, leaf, index) {
                return Some(place);
            }
        }
        // The parent is used up: down from the root, beside the leaf's own last or first key.
        let edge = if side.is_lt() { 0 } else { leaf.count() - 1 };
        let key = K::view(self.read, leaf.key(edge))?;
        self.beside(key, side)
    }

    /// The entry next to `key`, on one side of it: searched from the root.
    fn beside(&self, key: &K, side: Ordering) -> Option<Place<'a, K, V>> {
        // The last turn that can be taken to that side decides.
        let mut inner = self.read.get(&self.map.root)?;
        let mut turn = None;
        let leaf = loop {
            let child = child_of::<K, V>(self.read, inner, key);
            match side {
                Ordering::Less if child > 0 => turn = Some((inner, child - 1)),
                Ordering::Greater if child + 1 < inner.count() => turn = Some((inner, child + 1)),
                _ => {}
            }
            match self.read.get(&inner.item(child).leaf) {
                Some(leaf) => {
                    let place = match side {
                        Ordering::Less => partition::<K, _>(self.read, leaf, 0, |at| at < key).checked_sub(1),
                        _ => Some(partition::<K, _>(self.read, leaf, 0, |at| at <= key)),
                    };
                    break place
                        .filter(|&index| index < leaf.count())
                        .and_then(|index| self.place(inner, child, leaf, index));
                }
                None => inner = self.read.get(&inner.item(child).inner)?,
            }
        };
        if leaf.is_some() {
            return leaf;
        }
        let (mut inner, mut child) = turn?;
        loop {
            if let Some(leaf) = self.read.get(&inner.item(child).leaf) {
                let index = if side.is_lt() { leaf.count() - 1 } else { 0 };
                return self.place(inner, child, leaf, index);
            }
            inner = self.read.get(&inner.item(child).inner)?;
            child = if side.is_lt() { inner.count() - 1 } else { 0 };
        }
    }

    fn descend(
        &self,
        child: impl Fn(&'a InnerOf<K, V>) -> usize,
    ) -> Option<(&'a InnerOf<K, V>, usize, &'a LeafOf<K, V>)> {
        let mut inner = self.read.get(&self.map.root)?;
        loop {
            let index = child(inner);
            match self.read.get(&inner.item(index).leaf) {
                Some(leaf) => return Some((inner, index, leaf)),
                None => inner = self.read.get(&inner.item(index).inner)?,
            }
        }
    }

    #[inline]
    fn place(
        &self,
        parent: &'a InnerOf<K, V>,
        child: usize,
        leaf: &'a LeafOf<K, V>,
        index: usize,
    ) -> Option<Place<'a, K, V>> {
        let key = K::view(self.read, leaf.key(index))?;
        Some(Place { parent, child, leaf, index, key })
    }

    /// The place after, or before, this one.
    #[inline]
    fn step(&self, from: Place<'a, K, V>, side: Ordering) -> Option<Place<'a, K, V>> {
        let Place { parent, child, leaf, index, key } = from;
        let next = match side {
            Ordering::Less => index.checked_sub(1),
            _ => Some(index + 1).filter(|&next| next < leaf.count()),
        };
        match next {
            Some(next) => match self.place(parent, child, leaf, next) {
                Some(place) => Some(place),
                // Moved meanwhile.
                None => self.beside(key, side),
            },
            None => match self.neighbour(parent, child, leaf, side) {
                Some(place) => Some(place),
                None => self.beside(key, side),
            },
        }
    }
}

impl<'a, R: Read<'a>, K: Stored + Ord + ?Sized, V: Stored + ?Sized> Iterator for Iter<'_, 'a, R, K, V> {
    type Item = (&'a K, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (front, back) = self.ends?;
            self.ends = match front.key < back.key {
                true => self.step(front, Ordering::Greater).map(|next| (next, back)).filter(in_order),
                false => None,
            };
            // A value that was moved with its leaf is found from the root.
            match V::view(self.read, front.leaf.item(front.index)) {
                Some(value) => return Some((front.key, value)),
                None => match self.map.get(self.read, front.key) {
                    Some(value) => return Some((front.key, value)),
                    None => continue,
                },
            }
        }
    }
}

impl<'a, R: Read<'a>, K: Stored + Ord + ?Sized, V: Stored + ?Sized> DoubleEndedIterator
    for Iter<'_, 'a, R, K, V>
{
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            let (front, back) = self.ends?;
            self.ends = match front.key < back.key {
                true => self.step(back, Ordering::Less).map(|next| (front, next)).filter(in_order),
                false => None,
            };
            match V::view(self.read, back.leaf.item(back.index)) {
                Some(value) => return Some((back.key, value)),
                None => match self.map.get(self.read, back.key) {
                    Some(value) => return Some((back.key, value)),
                    None => continue,
                },
            }
        }
    }
}

/// Whether two ends have not passed each other.
#[inline]
fn in_order<K: Stored + Ord + ?Sized, V: Stored + ?Sized>(
    (front, back): &(Place<'_, K, V>, Place<'_, K, V>),
) -> bool {
    front.key <= back.key
}

impl<R, K: Stored + ?Sized, V: Stored + ?Sized> fmt::Debug for Iter<'_, '_, R, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").field("at_end", &self.ends.is_none()).finish_non_exhaustive()
    }
}
