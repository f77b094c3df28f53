//! The maps in every crash image: what a power failure leaves is the map before or after each change, whole.

use indelible::collections::{BTreeMap, HashMap};
use indelible::power::{self, Explorer, History, Log, Mutants, Recorder};
use indelible::{Committed, Persistent, Region, Result, Tx};
use indelible_test_support::long::short_or;
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
    /// All even keys from the first to the second, in one transaction.
    Extend(u64, u64),
}
use Op::*;

/// Eight of these, and the keys, take more than 512 bytes: eight are a leaf.
type Value = [u64; 7];

fn value(key: u64, step: usize) -> Value {
    [key * 1000 + step as u64; 7]
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
                let words = |value: &[u64]| -> Value { value.try_into().expect("seven words") };
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

fn even_keys_from(first: u64, last: u64) -> Vec<u64> {
    (first..=last).filter(|key| key % 2 == 0).collect()
}

/// What the map holds after each number of operations.
fn states(ops: &[Op]) -> Vec<Model<u64, Value>> {
    let mut model = Model::new();
    let mut states = vec![model.clone()];
    for (step, op) in ops.iter().enumerate() {
        let entry = |key: u64| (key, value(key, step));
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
            Fill(n) => model = even_keys(n).into_iter().map(entry).collect(),
            Extend(from, to) => model.extend(even_keys_from(from, to).into_iter().map(entry)),
        }
        states.push(model.clone());
    }
    states
}

/// One operation, in a transaction of its own.
fn perform<X: Map>(region: &mut Region<X, Recorder>, step: usize, op: Op) -> Result<()> {
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
        Extend(from, to) => one_by_one(map, tx, &even_keys_from(from, to), step),
    })
}

/// `before` is done and durable when the story begins.
fn explorer<X: Map + 'static>(before: &[Op], ops: &[Op]) -> Explorer<X, usize> {
    let all = [before, ops].concat();
    let (setup, first) = (before.to_vec(), before.len());
    let states = states(&all)[first..].to_vec();
    let workload = move |region: &mut Region<X, Recorder>, log: &Log<usize>| {
        for (step, &op) in all.iter().enumerate().skip(first) {
            log.begin(step);
            perform(region, step, op)?;
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
    Explorer::new(X::new, workload, check)
        .after(move |region| setup.iter().enumerate().try_for_each(|(step, &op)| perform(region, step, op)))
        .len(1 << 20)
        .progress(false)
}

/// By how many nodes the map grows or shrinks in each operation: which of them split and merge.
fn growth<X: Map>(before: &[Op], ops: &[Op]) -> Vec<i64> {
    let mut region = power::region(1 << 20, X::new()).expect("memory");
    let mut steps = before.iter().chain(ops).enumerate();
    let mut next = || -> Option<i64> {
        let (step, &op) = steps.next()?;
        perform(&mut region, step, op).expect("room");
        Some(region.usage().expect("valid").objects as i64)
    };
    let mut last = (0..before.len()).fold(1, |_, _| next().expect("a step"));
    std::iter::from_fn(next).map(|objects| objects - std::mem::replace(&mut last, objects)).collect()
}

/// Every image, of so many crashes one after the other: the second during recovery.
fn explore<X: Map + 'static>(name: &str, depth: usize, ops: &[Op]) {
    let report = explorer::<X>(&[], ops).depth(depth).run().assert();
    println!("{name}: {} crash points, {} images", report.crash_points(), report.images());
    assert!(report.is_exhaustive(), "{name}: {report}");
}

/// Every flush and every fence left out in turn: each is missed. The operations are one to a transaction,
/// because the flush of a node that the same transaction replaces again is missed by nobody.
fn mutate<X: Map + 'static>(name: &str, before: &[Op], ops: &[Op]) {
    let report = explorer::<X>(before, ops).depth(1).run().assert();
    assert!(report.is_exhaustive(), "{name}: {report}");
    let mutants = explorer::<X>(before, ops).depth(1).mutants();
    assert!(mutants.is_exhaustive(), "{name}: {mutants}");
    assert_eq!(mutants.unchecked().count(), 0, "{name}: {mutants}");
    let calls = Call::all(&mutants);
    println!("{name}: {} images; {mutants}; {} calls", report.images(), calls.len());
    let needless: Vec<&Call> = calls.iter().filter(|call| !call.needed).collect();
    assert!(needless.is_empty(), "{name}: flushed for nothing: {needless:#x?}");
}

/// The lines that one call of `flush` wrote back.
#[derive(Debug)]
struct Call {
    site: String,
    /// Its last event.
    event: usize,
    lines: Vec<usize>,
    /// One of its lines was missed when it was left out; or another call before the next fence flushes it too, so
    /// that either will do. (A line of a new node in which nothing but zeros is written is missed by nobody.)
    needed: bool,
}

impl Call {
    /// Those of the recorded workload, but for the engine's own.
    fn all(mutants: &Mutants) -> Vec<Call> {
        // Event, line or none for a fence, site, whether it was missed.
        let mut events: Vec<(usize, Option<usize>, &str, bool)> = mutants
            .noticed()
            .map(|mutant| (mutant, true))
            .chain(mutants.survivors().map(|mutant| (mutant, false)))
            .filter_map(|(mutant, missed)| {
                let event = mutant.what().strip_prefix("event ")?;
                let (number, what) = event.split_once(", ").expect("its number first");
                let line = what.split_once("at offset 0x").and_then(|(_, rest)| rest.split_once(','));
                let line = line.map(|(line, _)| usize::from_str_radix(line, 16).expect("an offset"));
                Some((number.parse().expect("a number"), line, mutant.site(), missed))
            })
            .collect();
        events.sort_unstable();
        let mut calls: Vec<Call> = Vec::new();
        for epoch in events.split(|event| event.1.is_none()) {
            let shared = |line| epoch.iter().filter(|event| event.1 == Some(line)).count() > 1;
            for &(event, line, site, missed) in epoch {
                let line = line.expect("a flush");
                if site.starts_with("src/tx") || site.starts_with("src/region") {
                    continue;
                }
                let needed = missed || shared(line);
                match calls.last_mut() {
                    Some(call)
                        if call.event + 1 == event
                            && call.lines.last() == Some(&(line - 64))
                            && call.site == site =>
                    {
                        call.event = event;
                        call.lines.push(line);
                        call.needed |= needed;
                    }
                    _ => calls.push(Call { site: site.to_string(), event, lines: vec![line], needed }),
                }
            }
        }
        calls
    }
}

type Tree = BTreeMap<u64, Value>;
type TextTree = BTreeMap<str, [u64]>;
type Table = HashMap<u64, Value>;
type TextTable = HashMap<str, [u64]>;

#[test]
fn a_tree_that_is_first_filled_replaced_and_emptied() {
    let ops = [Insert(1), Insert(3), Insert(1), Remove(3), Remove(1), Insert(5), Clear];
    mutate::<Tree>("small tree", &[], &ops);
    mutate::<TextTree>("small tree of str", &[], &ops);
}

#[test]
fn leaves_of_a_tree_split_and_merge() {
    // Seven are a leaf in which one place is free: the second insert splits it. Then the halves are merged.
    let ops = [Fill(7), Insert(5), Insert(7), Remove(2), Remove(4), Remove(6), Remove(8), Remove(5)];
    explore::<Tree>("leaves, twice", 2, &ops);
    // The same, and one more: without it the last root would be what was in its place before, byte for byte.
    let ops = [&ops[..3], &[Insert(7)], &ops[3..]].concat();
    assert_eq!(growth::<Tree>(&[], &ops), [2, 0, 1, 0, 0, 0, -1, 0, 0]);
    mutate::<Tree>("leaves", &[], &ops);
    let both = [Fill(7), Both(5, 4), Both(7, 6), Both(9, 8), Clear];
    explore::<Tree>("leaves, two changes at once", 1, &both);
}

#[test]
fn inner_nodes_of_a_tree_split_and_merge() {
    // 32 leaves of seven in a root that is full of them: it splits, and there is another level; which goes when
    // the left of its two nodes has become small enough to be merged with the right.
    let ops = [Fill(224), Insert(3), Insert(5), Remove(2), Both(7, 4), Thin(6, 224), Insert(9)];
    explore::<Tree>("inner nodes", 2, &ops);
}

/// `Fill` makes leaves of seven, whose keys `leaf` answers, and inner nodes of 28: more than 32 leaves are three
/// levels. What grows and shrinks says that it is the operation that the name claims.
#[test]
fn every_flush_where_inner_nodes_split_and_merge_is_needed() {
    let first = |leaf: u64| 14 * leaf + 2;
    let last = |leaf: u64| 14 * leaf + 14;
    let fill = |leaves: u64| Fill(7 * leaves);
    let without = |from: u64, to: u64| Thin(first(from), last(to));
    let one_left = |leaf: u64| Thin(first(leaf), last(leaf) - 1);
    let split = |leaf: u64| [Insert(first(leaf) + 1), Insert(first(leaf) + 3)];
    // Its name, what is there before, the operations, and what each adds.
    type Case = (&'static str, Vec<Op>, Vec<Op>, &'static [i64]);
    let cases: &[Case] = &[
        ("the root splits", vec![fill(32)], split(0).to_vec(), &[0, 3]),
        ("the root splits at its end", vec![fill(32)], vec![Insert(449), Insert(451)], &[0, 3]),
        (
            "an inner node splits",
            [vec![fill(33)], (0..4).flat_map(split).collect()].concat(),
            split(5).to_vec(),
            &[0, 2],
        ),
        (
            "the last inner node splits at its end",
            vec![fill(56), Extend(last(55) + 2, last(55) + 66)],
            vec![Insert(last(55) + 68), Insert(last(55) + 70)],
            &[2, 0],
        ),
        (
            "an inner node merges with the next",
            vec![fill(60), without(0, 18), one_left(19), without(28, 39)],
            vec![Remove(last(19)), Insert(first(25) + 1)],
            &[-2, 0],
        ),
        (
            "an inner node merges with the one before",
            vec![fill(60), without(28, 35), one_left(56)],
            vec![Remove(last(56)), Insert(first(57) + 1)],
            &[-2, 0],
        ),
        (
            "two inner nodes merge and are the root",
            vec![fill(33), without(0, 7), one_left(28)],
            vec![Remove(last(28)), Insert(first(9) + 1)],
            &[-3, 0],
        ),
        (
            "the only other inner node is the root",
            vec![fill(33), without(28, 31), one_left(32)],
            vec![Remove(last(32)), Insert(first(9) + 1)],
            &[-3, 0],
        ),
        ("an inner node vanishes", vec![fill(57), one_left(56)], vec![Remove(last(56)), Insert(1)], &[-2, 0]),
        (
            "leaves below inner nodes split and merge",
            vec![fill(33)],
            vec![Insert(3), Insert(5), Insert(5), Remove(2), Remove(3), Remove(4)],
            &[0, 1, 0, 0, 0, -1],
        ),
        ("a rebuild", vec![fill(33)], vec![fill(35), Clear], &[2, -38]),
    ];
    for (name, before, ops, expected) in &cases[..short_or(4, cases.len())] {
        assert_eq!(growth::<Tree>(before, ops), *expected, "{name}");
        mutate::<Tree>(name, before, ops);
    }
    // 32 entries in each leaf, and the root is full of them.
    let (before, ops) = ([Extend(2, 1024), Extend(1026, 2048)], [Insert(2050), Remove(2050)]);
    // A leaf, its entry's two, what divides it from the last in the parent; two nodes and the keys of both. Then the
    // first four.
    assert_eq!(growth::<TextTree>(&before, &ops), [8, -4]);
    mutate::<TextTree>("the root of a tree of str splits", &before, &ops);
}

#[test]
fn buckets_of_a_hash_map_split_and_the_map_grows() {
    let small = [Insert(1), Insert(1), Insert(3), Remove(1), Clear];
    mutate::<Table>("small hash map", &[], &small);
    mutate::<TextTable>("small hash map of str", &[], &small);
    // 24 fill the only bucket; the next makes the map grow.
    let ops = [Fill(24), Insert(1), Insert(3), Remove(2), Both(5, 4), Insert(7)];
    explore::<Table>("hash map", 2, &ops);
    explore::<TextTable>("hash map of str", 2, &ops[..3]);
}

/// The numbers of keys with which the next insert adds so many objects: it splits a bucket, or the map grows.
fn turns<X: Map>(objects: i64, keys: u64) -> Vec<u64> {
    let inserts: Vec<Op> = even_keys(keys).into_iter().map(Insert).collect();
    let growth = growth::<X>(&[], &inserts);
    (0..keys).zip(growth).filter(|&(_, added)| added == objects).map(|(keys, _)| keys).collect()
}

/// `entry` objects are made for each entry.
fn mutate_growth<X: Map + 'static>(name: &str, entry: i64) {
    // The first is the bucket that is made for the first entry, and its segment.
    let grows = turns::<X>(entry + 2, 200);
    let splits = turns::<X>(entry + 1, 200);
    assert!(grows.len() > 3 && splits.len() > 3, "{name}: grows at {grows:?}, splits at {splits:?}");
    for &keys in grows.iter().take(short_or(1, 3)).chain(splits.iter().take(short_or(1, 2))) {
        let ops = [Insert(2 * keys + 2), Remove(2 * keys + 2), Insert(1)];
        mutate::<X>(&format!("{name} with {keys} keys"), &[Fill(keys)], &ops);
    }
    mutate::<X>(&format!("{name}, cleared"), &[Fill(grows[3])], &[Clear, Insert(1)]);
}

#[test]
fn every_flush_where_a_hash_map_grows_is_needed() {
    mutate_growth::<Table>("hash map", 0);
    mutate_growth::<TextTable>("hash map of str", 2);
}
