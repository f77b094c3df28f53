//! How a [`HashMap`] changes: buckets are rebuilt, and split when they are full.

use super::{BucketOf, HashMap, MAX_BUCKET, SEGMENTS, bits, find, tag};
use crate::collections::node::{Nodes, WIDTH, build, damaged};
use crate::collections::stored::{Source, Stored, swap};
use crate::state::Flushed;
use crate::{Link, Pm, Result, Tx, medium::Medium};
use zerocopy::{Immutable, IntoBytes};

/// The bucket that a change is in, with its number and the link to it.
struct Place<'t, K: Stored + ?Sized, V: Stored + ?Sized> {
    number: usize,
    slot: &'t Link<BucketOf<K, V>>,
    bucket: &'t BucketOf<K, V>,
}

impl<K: Stored + IntoBytes + Immutable + ?Sized, V: Stored + ?Sized> HashMap<K, V> {
    #[track_caller]
    pub(super) fn put<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, key: &K, value: &V) -> Result<Option<&'t V>> {
        let hash = self.hash(key);
        let Some((number, slot, bucket)) = self.bucket(tx, hash) else {
            if tx.get(&self.segments[0]).is_some() {
                return Err(damaged(tx, &self.segments[0], "no first bucket", "one"));
            }
            let keys = |_| Source::New(key);
            let first = tx.flush(build::<_, K, V>(tx, 1, keys, |_| Source::New(value), |_| tag(hash))?);
            let mut segment = tx.alloc_slice_with(1, |_| Link::null())?;
            tx.attach(&mut segment, |slots| &slots[0], first);
            tx.stage(&self.segments[0], tx.flush(segment));
            return Ok(None);
        };
        let len = bucket.count();
        if let Some(at) = find::<K, V>(tx, bucket, key, hash) {
            let old = V::view(tx, bucket.item(at));
            if !V::replace(tx, bucket.item(at), value)? {
                let items = |i| if i == at { Source::New(value) } else { Source::Old(bucket.item(i)) };
                let keys = |i| Source::Old(bucket.key(i));
                let new = build::<_, K, V>(tx, len, keys, items, |i| bucket.tag(i))?;
                swap(tx, slot, tx.flush(new));
            }
            return Ok(old);
        }
        let place = Place { number, slot, bucket };
        let level = self.level(tx, number);
        let depth = self.depth(tx);
        let may_grow = || depth + 1 < SEGMENTS && self.is_dense(tx, depth);
        if len >= WIDTH && level < depth || len >= MAX_BUCKET && may_grow() {
            self.split(tx, &place, level, (key, value, hash))?;
        } else {
            let keys = |i| if i == len { Source::New(key) } else { Source::Old(bucket.key(i)) };
            let items = |i| if i == len { Source::New(value) } else { Source::Old(bucket.item(i)) };
            let tags = |i| if i == len { tag(hash) } else { bucket.tag(i) };
            let new = build::<_, K, V>(tx, len + 1, keys, items, tags)?;
            swap(tx, slot, tx.flush(new));
        }
        Ok(None)
    }

    #[track_caller]
    pub(super) fn take_out<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, key: &K) -> Result<Option<&'t V>> {
        let hash = self.hash(key);
        let Some((_, slot, bucket)) = self.bucket(tx, hash) else { return Ok(None) };
        let Some(at) = find::<K, V>(tx, bucket, key, hash) else { return Ok(None) };
        let value = V::view(tx, bucket.item(at));
        // The last entry takes the place of the removed one. A bucket stays when it has no entries left: without it its
        // keys would belong to its parent.
        let last = bucket.count() - 1;
        let old = |i: usize| if i == at { last } else { i };
        let keys = |i| Source::Old(bucket.key(old(i)));
        let items = |i| Source::Old(bucket.item(old(i)));
        let new = build::<_, K, V>(tx, last, keys, items, |i| bucket.tag(old(i)))?;
        swap(tx, slot, tx.flush(new));
        Ok(value)
    }

    /// Whether at least half of the newest buckets exist, as far as a sample shows. If fewer do, buckets are not long
    /// because there are many entries, but because hashes end alike, and a larger map would not help.
    fn is_dense<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, depth: usize) -> bool {
        let Some(slots) = tx.get(&self.segments[depth]) else { return false };
        // Of a segment up to 2,048 links at most 63 are read, of a larger one every 64th.
        let step = (slots.len() / 32).clamp(1, 64);
        let (mut there, mut all) = (0, 0);
        for slot in slots.iter().step_by(step) {
            there += usize::from(tx.get(slot).is_some());
            all += 1;
        }
        2 * there >= all
    }

    /// The first level at which a bucket has not split; the map's depth if it has split at each.
    fn level<'t, M: Medium>(&'t self, tx: &Tx<'t, M>, number: usize) -> usize {
        let depth = self.depth(tx);
        let is_there = |level: &usize| {
            let slot = self.slot(tx, number + (1 << level));
            slot.is_some_and(|slot| tx.get(slot).is_some())
        };
        (bits(number)..depth).find(|level| !is_there(level)).unwrap_or(depth)
    }

    /// Splits a bucket at this level, and adds one entry. If the map's depth is this level, the map grows.
    fn split<'t, M: Medium>(
        &'t self,
        tx: &Tx<'t, M>,
        place: &Place<'t, K, V>,
        level: usize,
        (key, value, hash): (&K, &V, u64),
    ) -> Result<()> {
        let &Place { number, slot, bucket } = place;
        let twin = self.slot(tx, number + (1 << level));
        // Levels below the depth have a segment. The one at the depth has none: no bucket has split there.
        let is_damaged = match twin {
            Some(_) => level >= self.depth(tx),
            None => tx.get(&self.segments[level + 1]).is_some(),
        };
        if is_damaged {
            return Err(damaged(tx, &self.depth, &format!("depth {level}"), "as many segments as it says"));
        }
        let len = bucket.count();
        let hash_of = |i: usize| match i == len {
            true => hash,
            false => K::view(tx, bucket.key(i)).map_or(0, |key| self.hash(key)),
        };
        let (high, low): (Vec<usize>, Vec<usize>) = (0..=len).partition(|&i| hash_of(i) >> level & 1 == 1);
        let half = |entries: &[usize]| -> Result<Pm<'t, BucketOf<K, V>, Flushed>> {
            let keys = |i: usize| match entries[i] {
                i if i == len => Source::New(key),
                i => Source::Old(bucket.key(i)),
            };
            let items = |i: usize| match entries[i] {
                i if i == len => Source::New(value),
                i => Source::Old(bucket.item(i)),
            };
            let tags = |i: usize| if entries[i] == len { tag(hash) } else { bucket.tag(entries[i]) };
            Ok(tx.flush(build::<_, K, V>(tx, entries.len(), keys, items, tags)?))
        };
        let high = half(&high)?;
        let low = half(&low)?;
        match twin {
            Some(new) => tx.stage(new, high),
            None => {
                let mut segment = tx.alloc_slice_with(1 << level, |_| Link::null())?;
                tx.attach(&mut segment, |slots| &slots[number], high);
                tx.stage(&self.segments[level + 1], tx.flush(segment));
                tx.store(&self.depth, level as u64 + 1);
            }
        }
        swap(tx, slot, low);
        Ok(())
    }
}
