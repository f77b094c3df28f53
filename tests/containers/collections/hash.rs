//! [`HashMap`] against std's.

use crate::support::{End, Fixed, Kind, Large, Text, ends, open, transact};
use indelible::collections::{HashMap, Stored};
use indelible::medium::PageCache;
use indelible::{Committed, Persistent, Read, Region, Tx};
use proptest::prelude::*;
use std::borrow::Borrow;
use std::collections::HashMap as Model;

#[derive(Persistent)]
#[repr(C)]
pub struct Root<K: Stored + ?Sized, V: Stored + ?Sized> {
    map: HashMap<K, V>,
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> Default for Root<K, V> {
    fn default() -> Self {
        Root { map: HashMap::with_seed(7) }
    }
}

type RootOf<X> = Root<<X as Kind>::K, <X as Kind>::V>;
type ModelOf<X> = Model<<X as Kind>::Key, <X as Kind>::Value>;

#[derive(Clone, Debug)]
pub enum Op {
    Insert(u32, u32),
    Update(u32, u32),
    Remove(u32),
    InsertRange(u32, u32),
    RemoveRange(u32, u32),
    Clear,
}

#[derive(Clone, Debug)]
pub enum Step {
    Transact(End, Vec<Op>),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || 0..1000_u32;
    let op = prop_oneof![
        30 => (key(), any::<u32>()).prop_map(|(k, v)| Op::Insert(k, v)),
        5 => (key(), any::<u32>()).prop_map(|(k, v)| Op::Update(k, v)),
        20 => key().prop_map(Op::Remove),
        10 => (key(), 1..200_u32).prop_map(|(k, n)| Op::InsertRange(k, n)),
        5 => (key(), 1..200_u32).prop_map(|(k, n)| Op::RemoveRange(k, n)),
        1 => Just(Op::Clear),
    ];
    let step = prop_oneof![
        8 => (ends(), proptest::collection::vec(op, 1..12)).prop_map(|(end, ops)| Step::Transact(end, ops)),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..12)
}

fn insert<'t, X: Kind>(
    tx: &Tx<'t, PageCache>,
    map: &'t HashMap<X::K, X::V>,
    model: &mut ModelOf<X>,
    key: u32,
    value: u32,
) -> indelible::Result<()> {
    let (key, value) = (X::key(key), X::value(value));
    let old = map.insert(tx, key.borrow(), value.borrow())?;
    assert_eq!(map.get(tx, key.borrow()), Some(value.borrow()));
    assert_eq!(old, model.insert(key, value).as_ref().map(Borrow::borrow));
    Ok(())
}

fn remove<'t, X: Kind>(
    tx: &Tx<'t, PageCache>,
    map: &'t HashMap<X::K, X::V>,
    model: &mut ModelOf<X>,
    key: u32,
) -> indelible::Result<()> {
    let key = X::key(key);
    let old = map.remove(tx, key.borrow())?;
    assert!(!map.contains_key(tx, key.borrow()));
    assert_eq!(old, model.remove::<X::K>(key.borrow()).as_ref().map(Borrow::borrow));
    Ok(())
}

/// Applies `op` to both, and compares what they answer.
fn apply<'t, X: Kind>(
    tx: &Tx<'t, PageCache>,
    map: &'t HashMap<X::K, X::V>,
    model: &mut ModelOf<X>,
    op: &Op,
) -> indelible::Result<()> {
    match *op {
        Op::Insert(key, value) => insert::<X>(tx, map, model, key, value),
        Op::InsertRange(key, n) => (key..key + n).try_for_each(|key| insert::<X>(tx, map, model, key, key)),
        Op::Remove(key) => remove::<X>(tx, map, model, key),
        Op::RemoveRange(key, n) => (key..key + n).try_for_each(|key| remove::<X>(tx, map, model, key)),
        Op::Update(key, value) => {
            let (key, value) = (X::key(key), X::value(value));
            let old = map.update(tx, key.borrow(), |old| {
                assert_eq!(old, model.get::<X::K>(key.borrow()).map(Borrow::borrow));
                value.clone()
            })?;
            assert_eq!(old, model.insert(key, value).as_ref().map(Borrow::borrow));
            Ok(())
        }
        Op::Clear => {
            map.clear(tx);
            model.clear();
            Ok(())
        }
    }
}

/// Compares everything.
fn compare<'a, X: Kind>(read: &impl Read<'a>, map: &'a HashMap<X::K, X::V>, model: &ModelOf<X>) {
    for (key, value) in model {
        assert_eq!(map.get(read, key.borrow()), Some(value.borrow()));
    }
    for n in 0..1200 {
        let key = X::key(n);
        assert_eq!(map.contains_key(read, key.borrow()), model.contains_key::<X::K>(key.borrow()));
    }
    assert_eq!(map.len(read), model.len());
    assert_eq!(map.is_empty(read), model.is_empty());
    let mut ours: Vec<_> = map.iter(read).collect();
    ours.sort_unstable_by_key(|&(key, _)| key);
    let mut expected: Vec<_> = model.iter().map(|(key, value)| (key.borrow(), value.borrow())).collect();
    expected.sort_unstable_by_key(|&(key, _)| key);
    assert_eq!(ours, expected);
}

fn run<X: Kind>(steps: &[Step]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map");
    let mut region: Region<RootOf<X>, PageCache> = open(&path);
    let mut model = ModelOf::<X>::new();
    for step in steps {
        match step {
            Step::Reopen => {
                region.close().unwrap();
                region = open(&path);
            }
            Step::Transact(end, ops) => {
                let mut changed = model.clone();
                let committed = transact(&mut region, *end, |tx, root| {
                    ops.iter().try_for_each(|op| apply::<X>(tx, &root.map, &mut changed, op))?;
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
        assert_eq!(region.usage().unwrap().unreached_bytes, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn it_is_std_with_values_in_the_node(steps in steps()) {
        run::<Fixed>(&steps);
    }

    #[test]
    fn it_is_std_with_large_values_in_the_node(steps in steps()) {
        run::<Large>(&steps);
    }

    #[test]
    fn it_is_std_with_everything_behind_links(steps in steps()) {
        run::<Text>(&steps);
    }
}

/// What an old file holds must be found by every later version.
#[test]
fn keys_are_hashed_by_xxh3_of_their_bytes() {
    let hash = |key: &u64| xxhash_rust::xxh3::xxh3_64_with_seed(&key.to_le_bytes(), 7);
    // From the C library, by way of Python's `xxhash`.
    assert_eq!(hash(&5), 0x1a98_283e_f259_1c5b);
    let mut region = Region::new(1 << 20, Root::<u64, u64> { map: HashMap::with_seed(7) }).unwrap();
    region.transact(|tx, root| (0..300).try_for_each(|n| root.map.insert(tx, &n, &n).map(drop))).unwrap();
    // Bucket 0 comes first and bucket 1 second.
    let odd: Vec<bool> = region.root().map.iter(&Committed).map(|(key, _)| hash(key) % 2 == 1).collect();
    let first = odd.iter().take_while(|odd| !**odd).count();
    let second = odd[first..].iter().take_while(|odd| **odd).count();
    assert!((4..=24).contains(&first) && (4..=24).contains(&second), "{first} and {second}: {odd:?}");
}

/// Hashes that end alike make a bucket long, however many buckets there are: the map does not grow for them.
#[test]
fn keys_with_hashes_that_end_alike_do_not_make_the_map_large() {
    const SEED: u64 = 1;
    let hash = |key: &u64| xxhash_rust::xxh3::xxh3_64_with_seed(&key.to_le_bytes(), SEED);
    let keys: Vec<u64> = (0..).filter(|key| hash(key) % 4096 == 0).take(60).collect();
    let mut region = Region::new(1 << 20, HashMap::<u64, u64>::with_seed(SEED)).unwrap();
    for key in &keys {
        region.transact(|tx, map| map.insert(tx, key, key).map(drop)).unwrap();
    }
    assert!(keys.iter().all(|key| region.root().get(&Committed, key) == Some(key)));
    // The entries, which nothing can make fewer, and little else.
    let bytes = region.usage().unwrap().object_bytes;
    assert!(bytes < 2 * 16 * keys.len() as u64, "{bytes} bytes for {} entries", keys.len());
}
