//! [`BTreeMap`] against std's.

use crate::support::{End, Fixed, Kind, Large, Text, ends, open, transact};
use indelible::collections::{BTreeMap, Stored};
use indelible::medium::PageCache;
use indelible::{Committed, Link, Persistent, Read, Region, Tx};
use proptest::prelude::*;
use std::borrow::Borrow;
use std::collections::BTreeMap as Model;
use std::ops::Bound;

#[derive(Persistent)]
#[repr(C)]
pub struct Root<K: Stored + ?Sized, V: Stored + ?Sized> {
    map: BTreeMap<K, V>,
    other: Link<u64>,
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> Default for Root<K, V> {
    fn default() -> Self {
        Root { map: BTreeMap::new(), other: Link::null() }
    }
}

type RootOf<X> = Root<<X as Kind>::K, <X as Kind>::V>;
type ModelOf<X> = Model<<X as Kind>::Key, <X as Kind>::Value>;

#[derive(Clone, Debug)]
pub enum Op {
    Insert(u32, u32),
    /// Many with ascending keys.
    Append(u32, u32),
    Update(u32, u32),
    Remove(u32),
    /// All keys of a range.
    RemoveRange(u32, u32),
    Range(u32, u32, u64),
    Clear,
    Rebuild(u32, u32),
}

#[derive(Clone, Debug)]
pub enum Step {
    Transact(End, Vec<Op>),
    Reopen,
}

fn ops() -> impl Strategy<Value = Op> {
    let key = || 0..400_u32;
    prop_oneof![
        30 => (key(), any::<u32>()).prop_map(|(k, v)| Op::Insert(k, v)),
        3 => (key(), 1..80_u32).prop_map(|(k, n)| Op::Append(k, n)),
        5 => (key(), any::<u32>()).prop_map(|(k, v)| Op::Update(k, v)),
        20 => key().prop_map(Op::Remove),
        4 => (key(), 1..200_u32).prop_map(|(k, n)| Op::RemoveRange(k, n)),
        5 => (key(), key(), any::<u64>()).prop_map(|(a, b, ends)| Op::Range(a, b, ends)),
        1 => Just(Op::Clear),
        2 => (key(), 0..3000_u32).prop_map(|(k, n)| Op::Rebuild(k, n)),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (ends(), proptest::collection::vec(ops(), 1..12)).prop_map(|(end, ops)| Step::Transact(end, ops)),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..12)
}

/// Applies `op` to both, and compares what they answer. The number of operations.
fn apply<'t, X: Kind>(
    tx: &Tx<'t, PageCache>,
    map: &'t BTreeMap<X::K, X::V>,
    model: &mut ModelOf<X>,
    op: &Op,
) -> indelible::Result<u64> {
    let insert = |model: &mut ModelOf<X>, key: u32, value: u32| {
        let (key, value) = (X::key(key), X::value(value));
        let old = map.insert(tx, key.borrow(), value.borrow())?;
        assert_eq!(map.get(tx, key.borrow()), Some(value.borrow()));
        assert_eq!(old, model.insert(key, value).as_ref().map(Borrow::borrow));
        Ok::<_, indelible::Error>(())
    };
    let remove = |model: &mut ModelOf<X>, key: u32| {
        let key = X::key(key);
        let old = map.remove(tx, key.borrow())?;
        assert!(!map.contains_key(tx, key.borrow()));
        assert_eq!(old, model.remove::<X::K>(key.borrow()).as_ref().map(Borrow::borrow));
        Ok::<_, indelible::Error>(())
    };
    match *op {
        Op::Insert(key, value) => insert(model, key, value)?,
        Op::Append(key, n) => {
            (key..key + n).try_for_each(|key| insert(model, key, key))?;
            return Ok(u64::from(n));
        }
        Op::Update(key, value) => {
            let (key, value) = (X::key(key), X::value(value));
            let old = map.update(tx, key.borrow(), |old| {
                assert_eq!(old, model.get::<X::K>(key.borrow()).map(Borrow::borrow));
                value.clone()
            })?;
            assert_eq!(old, model.insert(key, value).as_ref().map(Borrow::borrow));
        }
        Op::Remove(key) => remove(model, key)?,
        Op::RemoveRange(key, n) => {
            (key..key + n).try_for_each(|key| remove(model, key))?;
            return Ok(u64::from(n));
        }
        Op::Range(a, b, ends) => ranges::<X>(tx, map, model, a, b, ends),
        Op::Clear => {
            map.clear(tx);
            model.clear();
        }
        Op::Rebuild(key, n) => {
            *model = (key..key + n).map(|n| (X::key(n), X::value(n))).collect();
            map.rebuild(tx, model.iter().map(|(key, value)| (key.clone(), value.clone())))?;
        }
    }
    Ok(1)
}

/// Compares a range with every kind of bounds, taken from both ends as the bits of `ends` say.
fn ranges<'a, X: Kind>(
    read: &impl Read<'a>,
    map: &'a BTreeMap<X::K, X::V>,
    model: &ModelOf<X>,
    a: u32,
    b: u32,
    ends: u64,
) {
    let (a, b) = (X::key(a), X::key(b));
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    let starts = [Bound::Included(&a), Bound::Excluded(&a), Bound::Unbounded];
    let stops = [Bound::Included(&b), Bound::Excluded(&b), Bound::Unbounded];
    for (start, stop) in starts.into_iter().flat_map(|start| stops.map(|stop| (start, stop))) {
        if a == b && matches!((start, stop), (Bound::Excluded(_), Bound::Excluded(_))) {
            continue; // std panics
        }
        let mut left = model.range::<X::K, _>((start.map(|key| key.borrow()), stop.map(|key| key.borrow())));
        let mut right = map.range(read, (start.map(|key| key.borrow()), stop.map(|key| key.borrow())));
        let mut bits = ends;
        loop {
            bits = bits.rotate_left(1);
            let (ours, std) = match bits & 1 {
                0 => (right.next(), left.next()),
                _ => (right.next_back(), left.next_back()),
            };
            assert_eq!(ours, std.map(|(key, value)| (key.borrow(), value.borrow())), "{start:?} to {stop:?}");
            if ours.is_none() {
                assert!(right.next().is_none() && right.next_back().is_none());
                break;
            }
        }
    }
    let backwards = map.range(read, (Bound::Included(b.borrow()), Bound::Excluded(a.borrow())));
    assert_eq!(backwards.count(), 0);
}

/// Compares everything.
fn compare<'a, X: Kind>(read: &impl Read<'a>, map: &'a BTreeMap<X::K, X::V>, model: &ModelOf<X>) {
    let expected = || model.iter().map(|(key, value)| (key.borrow(), value.borrow()));
    #[expect(clippy::map_identity, reason = "lifetimes that both may have")]
    let ours = || map.iter(read).map(|(key, value)| (key, value));
    assert!(ours().eq(expected()));
    assert!(ours().rev().eq(expected().rev()));
    for (key, value) in expected() {
        assert_eq!(map.get(read, key), Some(value), "{key:?}");
    }
    assert_eq!(map.len(read), model.len());
    assert_eq!(map.is_empty(read), model.is_empty());
    assert_eq!(map.first(read), expected().next());
    assert_eq!(map.last(read), expected().next_back());
}

fn run<X: Kind>(steps: &[Step]) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map");
    let mut region: Region<RootOf<X>, PageCache> = open(&path);
    let mut model = ModelOf::<X>::new();
    let mut count = 0;
    for step in steps {
        match step {
            Step::Reopen => {
                region.close().unwrap();
                region = open(&path);
            }
            Step::Transact(end, ops) => {
                let mut changed = model.clone();
                let committed = transact(&mut region, *end, |tx, root| {
                    for op in ops {
                        count += apply::<X>(tx, &root.map, &mut changed, op)?;
                    }
                    compare::<X>(tx, &root.map, &changed);
                    compare::<X>(&Committed, &root.map, &model);
                    Ok(())
                });
                if committed {
                    model = changed;
                }
            }
        }
        compare::<X>(&Committed, &region.root().map, &model);
        let usage = region.usage().unwrap();
        assert_eq!(usage.unreached_bytes, 0);
        assert!(!model.is_empty() || usage.objects == 1, "{usage:?}");
    }
    count
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn it_is_std_with_values_in_the_node(steps in steps()) {
        run::<Fixed>(&steps);
    }

    #[test]
    fn it_is_std_with_one_node_to_a_leaf(steps in steps()) {
        run::<Large>(&steps);
    }

    #[test]
    fn it_is_std_with_everything_behind_links(steps in steps()) {
        run::<Text>(&steps);
    }
}

/// Iterates from both ends, as the bits of `ends` say, while the transaction changes what is not yet reached.
///
/// Keys are multiples of 3, and of these nothing is changed but those of 9. Each of the others must be answered
/// once, and all in order.
fn changed_while_iterated<X: Kind>(ends: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut region: Region<RootOf<X>, PageCache> = open(&folder.path().join("map"));
    let entry = |n: u32| (X::key(3 * n), X::value(n));
    let model: ModelOf<X> = (0..600).map(entry).collect();
    let changed: Vec<X::Key> = (0..600).filter(|n| n % 3 == 0).map(|n| X::key(3 * n)).collect();
    transact(&mut region, End::Commit, |tx, root| {
        root.map.rebuild(tx, model.iter().map(|(key, value)| (key.clone(), value.clone())))
    });
    transact(&mut region, End::Commit, |tx, root| {
        let mut entries = root.map.iter(tx);
        let (mut front, mut back) = (Vec::new(), Vec::new());
        let mut bits = ends;
        for step in 0_u32.. {
            bits = bits.rotate_left(1);
            let entry = if bits & 1 == 0 { entries.next() } else { entries.next_back() };
            let Some((key, _)) = entry else { break };
            if bits & 1 == 0 {
                front.push(key)
            } else {
                back.push(key)
            }
            let n = step.wrapping_mul(7919) % 1800;
            match step % 4 {
                0 => drop(root.map.insert(tx, X::key(n / 3 * 3 + 1).borrow(), X::value(n).borrow())?),
                1 => drop(root.map.remove(tx, changed[n as usize % changed.len()].borrow())?),
                2 => drop(root.map.insert(
                    tx,
                    changed[n as usize % changed.len()].borrow(),
                    X::value(n).borrow(),
                )?),
                // Between what both ends have reached: splits, in the leaf that is being read.
                _ => drop(root.map.insert(tx, X::key(step / 2 * 3 + 2).borrow(), X::value(n).borrow())?),
            }
        }
        assert!(entries.next().is_none() && entries.next_back().is_none());
        front.extend(back.into_iter().rev());
        assert!(front.is_sorted_by(|a, b| a < b), "in order, each once");
        let shown: Vec<&X::K> = front
            .into_iter()
            .filter(|&key| model.contains_key(key) && !changed.iter().any(|k| k.borrow() == key))
            .collect();
        let expected =
            model.keys().map(|key| key.borrow()).filter(|&key| !changed.iter().any(|k| k.borrow() == key));
        assert!(shown.into_iter().eq(expected));
        Ok(())
    });
}

#[test]
fn an_iterator_goes_on_where_its_transaction_changes_the_map() {
    for ends in [0, u64::MAX, 0x5555_5555_5555_5555, 0xf0f0_1234_5678_9abc, 0x0000_ffff_0000_ffff] {
        changed_while_iterated::<Fixed>(ends);
        changed_while_iterated::<Large>(ends);
        changed_while_iterated::<Text>(ends);
    }
}

/// Objects of a region with a map that was changed so: its nodes, and the root.
fn objects(changes: impl IntoIterator<Item = (u64, bool)>) -> usize {
    let mut region = Region::new(16 << 20, BTreeMap::<u64, [u8; 100]>::new()).unwrap();
    let changes: Vec<(u64, bool)> = changes.into_iter().collect();
    for changes in changes.chunks(50) {
        region
            .transact(|tx, map| {
                for &(key, is_there) in changes {
                    match is_there {
                        true => drop(map.insert(tx, &key, &[0; 100])?),
                        false => drop(map.remove(tx, &key)?),
                    }
                }
                Ok(())
            })
            .unwrap();
    }
    region.usage().unwrap().objects as usize
}

#[test]
fn nodes_stay_full_where_keys_ascend_and_are_merged_where_they_go() {
    let ascending = (0..4000).map(|key| (key, true));
    // Leaves of 8, nodes of 28 at least, a root.
    let full = objects(ascending.clone());
    assert!(full <= 500 + 18 + 3, "{full}");
    let quarter =
        objects(ascending.clone().chain((0..4000).filter(|key| key % 4 > 0).map(|key| (key, false))));
    println!("{full} objects, a quarter of the keys: {quarter}");
    assert!(quarter <= 400, "{quarter}");
    let few = objects(ascending.clone().chain((0..4000).filter(|key| key % 64 > 0).map(|key| (key, false))));
    println!("one in 64: {few}");
    assert!(few <= 30, "{few}");
    let one = objects(ascending.clone().chain((0..4000).filter(|&key| key != 1234).map(|key| (key, false))));
    assert_eq!(one, 3, "the root, a node, a leaf");
    assert_eq!(objects(ascending.chain((0..4000).map(|key| (key, false)))), 1);
    // Two nodes below the root, the left of them emptied beside one that is too large to be merged with: the right
    // becomes the root.
    let two = (0..480).map(|key| (key, true)).chain((0..240).map(|key| (key, false)));
    assert_eq!(objects(two), 1 + 1 + 240 / 8);
}

/// What divides two nodes stands above them: the first key in the right one may be another by then.
#[test]
fn a_key_that_came_before_a_node_s_first_is_found_when_the_node_is_merged() {
    // Leaves of eight in two nodes. The right one loses its first leaves, and gets keys of theirs again, in the leaf
    // that is the first now; then both become small.
    let ops = [
        Op::Append(0, 480),
        Op::RemoveRange(216, 72),
        Op::Append(216, 20),
        Op::Append(240, 20),
        Op::RemoveRange(0, 140),
        Op::RemoveRange(290, 170),
    ];
    run::<Large>(&ops.map(|op| Step::Transact(End::Commit, vec![op])));
}

thread_local! {
    static REVERSED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// A key whose order can be turned round.
#[derive(Persistent, Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
struct Fickle(u64);

impl Ord for Fickle {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if REVERSED.get() { other.0.cmp(&self.0) } else { self.0.cmp(&other.0) }
    }
}

impl PartialOrd for Fickle {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A damaged file, or a program whose `Ord` is another than that of the one before it, is no endless loop.
#[test]
fn an_iteration_ends_also_where_keys_are_not_in_order() {
    let mut region = Region::new(1 << 20, BTreeMap::<Fickle, [u8; 100]>::new()).unwrap();
    region.transact(|tx, map| map.rebuild(tx, (0..1000).map(|n| (Fickle(n), [0; 100])))).unwrap();
    REVERSED.set(true);
    let map = region.root();
    let bounds = [Bound::Unbounded, Bound::Included(Fickle(300)), Bound::Excluded(Fickle(700))];
    for (start, end) in bounds.into_iter().flat_map(|start| bounds.map(|end| (start, end))) {
        assert!(map.range(&Committed, (start, end)).take(1001).count() <= 1000, "{start:?} to {end:?}");
        assert!(map.range(&Committed, (start, end)).rev().take(1001).count() <= 1000, "{start:?} to {end:?}");
    }
}

/// Wherever it is: within a leaf, or between the last key of one and the first of the next.
#[test]
fn rebuild_refuses_a_key_that_is_not_above_the_one_before_it() {
    let mut region = Region::new(1 << 20, BTreeMap::<u64, u64>::new()).unwrap();
    for wrong in 1..150 {
        let keys = (0..150).map(|n| (if n == wrong { n - 1 } else { n }, 7_u64));
        let rebuild = || region.transact(|tx, map| map.rebuild(tx, keys));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(rebuild)).expect_err("keys that don't ascend");
    }
    assert_eq!(region.root().len(&Committed), 0);
}
