//! [`Iter`]: all entries of a hash map, bucket by bucket.

use super::{BucketOf, HashMap, SlotOf};
use crate::Read;
use crate::collections::node::Nodes;
use crate::collections::stored::Stored;
use std::fmt;

/// The entries of a [`HashMap`], as [`HashMap::iter`] returns them.
pub struct Iter<'r, 'a, R, K: Stored + ?Sized, V: Stored + ?Sized> {
    read: &'r R,
    segments: &'a [crate::Link<[SlotOf<K, V>]>],
    slots: &'a [SlotOf<K, V>],
    bucket: &'a BucketOf<K, V>,
    index: usize,
}

impl<'r, 'a, R: Read<'a>, K: Stored + ?Sized, V: Stored + ?Sized> Iter<'r, 'a, R, K, V> {
    pub(super) fn new(map: &'a HashMap<K, V>, read: &'r R) -> Self {
        Iter { read, segments: &map.segments[..=map.depth(read)], slots: &[], bucket: &[], index: 0 }
    }
}

impl<'a, R: Read<'a>, K: Stored + ?Sized, V: Stored + ?Sized> Iterator for Iter<'_, 'a, R, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while self.index < self.bucket.count() {
                let index = self.index;
                self.index += 1;
                // Either is missing only if the transaction has moved it meanwhile.
                let key = K::view(self.read, self.bucket.key(index));
                let value = V::view(self.read, self.bucket.item(index));
                if let Some(entry) = key.zip(value) {
                    return Some(entry);
                }
            }
            match self.slots.split_first() {
                Some((slot, rest)) => {
                    self.slots = rest;
                    self.bucket = self.read.get(slot).unwrap_or(&[]);
                    self.index = 0;
                }
                None => {
                    let (segment, rest) = self.segments.split_first()?;
                    self.segments = rest;
                    self.slots = self.read.get(segment).unwrap_or(&[]);
                }
            }
        }
    }
}

impl<R, K: Stored + ?Sized, V: Stored + ?Sized> fmt::Debug for Iter<'_, '_, R, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}
