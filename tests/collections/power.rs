//! The maps in every crash image: what a power failure leaves is the map before or after each change, whole.

use indelible::collections::{BTreeMap, HashMap};
use indelible::power::{Explorer, History, Log, Recorder};
use indelible::{Committed, Persistent, Region, Result, Tx};
use std::collections::BTreeMap as Model;

#[derive(Clone, Copy, Debug)]
enum Op {
    Insert(u64),
    Remove(u64),
    /// Several in one transaction.
    Both(u64, u64),
    /// All keys from the first to the second, in one transaction.
    Thin(u64, u64),
    Clear,
    /// `n` even keys from 2 on.
    Fill(u64),
}
use Op::*;

type Value = [u64; 15];

fn value(key: u64, step: usize) -> Value {
    [key * 1000 + step as u64; 15]
}

/// A map as this test uses it.
trait Map: Persistent + Sized {
    fn new() -> Self;
    fn entries(&self) -> Model<u64, Value>;
    fn fill<'t>(&'t self, tx: &Tx<'t, Recorder>, keys: &[u64], step: usize) -> Result<()>;
    fn insert<'t>(&'t self, tx: &Tx<'t, Recorder>, key: u64, value: &Value) -> Result<()>;
    fn remove<'t>(&'t self, tx: &Tx<'t, Recorder>, key: u64) -> Result<()>;
    fn clear<'t>(&'t self, tx: &Tx<'t, Recorder>);
}

fn rebuild<'t>(
    map: &'t BTreeMap<u64, Value>,
    tx: &Tx<'t, Recorder>,
    keys: &[u64],
    step: usize,
) -> Result<()> {
    map.rebuild(tx, keys.iter().map(|&key| (key, value(key, step))))
}

fn one_by_one<'t, X: Map>(map: &'t X, tx: &Tx<'t, Recorder>, keys: &[u64], step: usize) -> Result<()> {
    keys.iter().try_for_each(|&key| map.insert(tx, key, &value(key, step)))
}

/// Both kinds have the same methods.
macro_rules! map {
    ($type:ty, $new:expr, $fill:expr, |$key:ident| $from:expr, |$stored:ident: $ref:ty| $to:expr) => {
        impl Map for $type {
            fn new() -> Self {
                $new
            }
            fn entries(&self) -> Model<u64, Value> {
                let number = |$stored: $ref| -> u64 { $to };
                let words = |value: &[u64]| -> Value { value.try_into().expect("fifteen words") };
                let entries: Vec<(u64, Value)> =
                    self.iter(&Committed).map(|(key, value)| (number(key), words(value.as_ref()))).collect();
                assert_eq!(entries.len(), self.len(&Committed));
                for (key, value) in &entries {
                    let $key = *key;
                    let found: Option<&[u64]> = self.get(&Committed, $from).map(|value| value.as_ref());
                    assert_eq!(found, Some(&value[..]));
                }
                entries.into_iter().collect()
            }
            fn fill<'t>(&'t self, tx: &Tx<'t, Recorder>, keys: &[u64], step: usize) -> Result<()> {
                ($fill)(self, tx, keys, step)
            }
            fn insert<'t>(&'t self, tx: &Tx<'t, Recorder>, $key: u64, value: &Value) -> Result<()> {
                <$type>::insert(self, tx, $from, value).map(drop)
            }
            fn remove<'t>(&'t self, tx: &Tx<'t, Recorder>, $key: u64) -> Result<()> {
                <$type>::remove(self, tx, $from).map(drop)
            }
            fn clear<'t>(&'t self, tx: &Tx<'t, Recorder>) {
                <$type>::clear(self, tx);
            }
        }
    };
}

map!(BTreeMap<u64, Value>, BTreeMap::new(), rebuild, |key| &key, |key: &u64| *key);
map!(BTreeMap<str, [u64]>, BTreeMap::new(), one_by_one, |key| &*format!("{key:04}"), |key: &str| key.parse().unwrap());
map!(HashMap<u64, Value>, HashMap::with_seed(1), one_by_one, |key| &key, |key: &u64| *key);
map!(HashMap<str, [u64]>, HashMap::with_seed(1), one_by_one, |key| &*format!("{key:04}"), |key: &str| key.parse().unwrap());

fn even_keys(n: u64) -> Vec<u64> {
    (1..=n).map(|key| 2 * key).collect()
}

/// What the map holds after each number of operations.
fn states(ops: &[Op]) -> Vec<Model<u64, Value>> {
    let mut model = Model::new();
    let mut states = vec![model.clone()];
    for (step, op) in ops.iter().enumerate() {
        match *op {
            Insert(key) => {
                model.insert(key, value(key, step));
            }
            Remove(key) => {
                model.remove(&key);
            }
            Both(inserted, removed) => {
                model.insert(inserted, value(inserted, step));
                model.remove(&removed);
            }
            Thin(from, to) => model.retain(|key, _| !(from..=to).contains(key)),
            Clear => model.clear(),
            Fill(n) => model = even_keys(n).into_iter().map(|key| (key, value(key, step))).collect(),
        }
        states.push(model.clone());
    }
    states
}

fn explorer<X: Map + 'static>(ops: &[Op]) -> Explorer<X, usize> {
    let (ops, states) = (ops.to_vec(), states(ops));
    let workload = move |region: &mut Region<X, Recorder>, log: &Log<usize>| {
        for (step, &op) in ops.iter().enumerate() {
            log.begin(step);
            region.transact(|tx, map| match op {
                Insert(key) => map.insert(tx, key, &value(key, step)),
                Remove(key) => map.remove(tx, key),
                Both(inserted, removed) => {
                    map.insert(tx, inserted, &value(inserted, step))?;
                    map.remove(tx, removed)
                }
                Thin(from, to) => (from..=to).try_for_each(|key| map.remove(tx, key)),
                Clear => {
                    map.clear(tx);
                    Ok(())
                }
                Fill(n) => map.fill(tx, &even_keys(n), step),
            })?;
            log.acknowledge();
        }
        Ok(())
    };
    let check = move |map: &X, history: &History<usize>| {
        let (least, most) = (history.acknowledged().len(), history.begun().len());
        let entries = map.entries();
        assert!(
            states[least..=most].contains(&entries),
            "neither the map before nor after operation {least}: {:?}",
            entries.keys()
        );
    };
    Explorer::new(X::new, workload, check).len(1 << 20).progress(false)
}

/// Every image, of so many crashes one after the other: the second during recovery.
fn explore<X: Map + 'static>(name: &str, depth: usize, ops: &[Op]) {
    let report = explorer::<X>(ops).depth(depth).run().assert();
    println!("{name}: {} crash points, {} images", report.crash_points(), report.images());
    assert!(report.is_exhaustive(), "{name}: {report}");
}

/// Every flush and every fence left out in turn: each is missed. The operations are one to a transaction,
/// because the flush of a node that the same transaction replaces again is missed by nobody.
fn mutate<X: Map + 'static>(name: &str, ops: &[Op]) {
    explore::<X>(name, 1, ops);
    let mutants = explorer::<X>(ops).depth(1).mutants();
    assert!(mutants.is_exhaustive(), "{name}: {mutants}");
    assert_eq!(mutants.unchecked().count(), 0, "{name}: {mutants}");
}

#[test]
fn a_tree_that_is_first_filled_replaced_and_emptied() {
    let ops = [Insert(1), Insert(3), Insert(1), Remove(3), Remove(1), Insert(5), Clear];
    mutate::<BTreeMap<u64, Value>>("small tree", &ops);
    mutate::<BTreeMap<str, [u64]>>("small tree of str", &ops);
}

#[test]
fn leaves_of_a_tree_split_and_merge() {
    // Seven are a leaf in which one place is free: the second insert splits it. Then the halves are merged.
    let ops = [Fill(7), Insert(5), Insert(7), Remove(2), Remove(4), Remove(6), Remove(8), Remove(5)];
    mutate::<BTreeMap<u64, Value>>("leaves", &ops);
    explore::<BTreeMap<u64, Value>>("leaves, twice", 2, &ops);
    let both = [Fill(7), Both(5, 4), Both(7, 6), Both(9, 8), Clear];
    explore::<BTreeMap<u64, Value>>("leaves, two changes at once", 1, &both);
}

#[test]
fn inner_nodes_of_a_tree_split_and_merge() {
    // 32 leaves of seven in a root that is full of them: it splits, and there is another level; which goes when
    // the left of its two nodes has become small enough to be merged with the right.
    let ops = [Fill(224), Insert(3), Insert(5), Remove(2), Both(7, 4), Thin(6, 224), Insert(9)];
    explore::<BTreeMap<u64, Value>>("inner nodes", 2, &ops);
}

#[test]
fn buckets_of_a_hash_map_split_and_the_map_grows() {
    let small = [Insert(1), Insert(1), Insert(3), Remove(1), Clear];
    mutate::<HashMap<u64, Value>>("small hash map", &small);
    mutate::<HashMap<str, [u64]>>("small hash map of str", &small);
    // 24 fill the only bucket; the next makes the map grow.
    let ops = [Fill(24), Insert(1), Insert(3), Remove(2), Both(5, 4), Insert(7)];
    explore::<HashMap<u64, Value>>("hash map", 2, &ops);
    explore::<HashMap<str, [u64]>>("hash map of str", 2, &ops[..3]);
}
