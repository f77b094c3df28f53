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
