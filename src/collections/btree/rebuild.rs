//! [`BTreeMap::rebuild`]: a whole tree from sorted entries, under one publication.

use super::change::{Branch, node};
use super::{BTreeMap, INNER_CAPACITY, leaf_capacity};
use crate::collections::node::build;
use crate::collections::stored::{Source, Stored};
use crate::medium::Medium;
use crate::{Result, Tx};
use std::borrow::Borrow;

impl<K: Stored + Ord + ?Sized, V: Stored + ?Sized> BTreeMap<K, V> {
    /// Replaces all entries with these, which come in strictly ascending order of their keys: one published
    /// word and at most two fences for any number.
    ///
    /// One place in eight stays free, so that the first inserts between them needn't split a node each.
    ///
    /// Entries are pairs of anything that borrows as `K` and `V`: `(u64, u64)`, `(&str, String)`, …
    ///
    /// ```
    /// # use indelible::{collections::BTreeMap, Committed, Region};
    /// # let mut region = Region::new(1 << 20, BTreeMap::<u64, [u8; 100]>::new())?;
    /// region.transact(|tx, map| map.rebuild(tx, (0..1000).map(|n| (n, [n as u8; 100]))))?;
    /// assert_eq!(region.root().len(&Committed), 1000);
    /// # Ok::<(), indelible::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`BTreeMap::insert`].
    ///
    /// # Panics
    ///
    /// If a key is not greater than the one before it.
    #[track_caller]
    pub fn rebuild<'t, M: Medium, KB: Borrow<K>, VB: Borrow<V>>(
        &'t self,
        tx: &Tx<'t, M>,
        entries: impl IntoIterator<Item = (KB, VB)>,
    ) -> Result<()> {
        let mut entries = entries.into_iter().peekable();
        let mut batch: Vec<(KB, VB)> = Vec::new();
        let (mut firsts, mut leaves) = (Vec::new(), Vec::new());
        while entries.peek().is_some() {
            batch.extend(entries.by_ref().take(filled(leaf_capacity::<K, V>())));
            let key = |i: usize| -> Source<'_, '_, K> { Source::New(batch[i].0.borrow()) };
            let value = |i: usize| -> Source<'_, '_, V> { Source::New(batch[i].1.borrow()) };
            leaves.push(tx.flush(build::<_, K, V>(tx, batch.len(), key, value, |_| 0)?));
            let keys = batch.iter().chain(entries.peek()).map(|(key, _)| key.borrow());
            assert!(keys.is_sorted_by(|a: &&K, b| a < b), "`rebuild` was given keys that don't ascend");
            firsts.extend(batch.drain(..).next());
        }
        let keys = firsts.iter().map(|(key, _)| Source::New(key.borrow()));
        let mut level: Vec<Branch<'_, '_, K, V>> =
            keys.zip(leaves).map(|(key, leaf)| Branch::Leaf(key, leaf)).collect();
        self.clear(tx);
        if level.is_empty() {
            return Ok(());
        }
        while level.len() > INNER_CAPACITY {
            let mut below = level.into_iter().peekable();
            level = Vec::new();
            while let Some(first) = below.peek() {
                let key = first.key();
                level.push(Branch::Inner(
                    key,
                    node(tx, below.by_ref().take(filled(INNER_CAPACITY)).collect())?,
                ));
            }
        }
        tx.stage(&self.root, node(tx, level)?);
        Ok(())
    }
}

/// How many entries of this capacity `rebuild` fills: seven in eight.
const fn filled(capacity: usize) -> usize {
    capacity - capacity / 8
}
