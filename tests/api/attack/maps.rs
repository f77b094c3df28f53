//! Maps whose callbacks call back, whose keys lie about their order or panic, and whose hashes collide.

use super::*;
use indelible::Committed;
use indelible::collections::{BTreeMap, HashMap as PmHashMap};
use std::borrow::Borrow;
use std::cell::Cell;
use std::cmp::Ordering;

#[derive(Persistent)]
#[repr(C)]
struct Maps {
    tree: BTreeMap<str, u64>,
    texts: BTreeMap<u64, str>,
    table: PmHashMap<str, u64>,
}

fn maps() -> Region<Maps, Emulated> {
    let root = Maps { tree: BTreeMap::new(), texts: BTreeMap::new(), table: PmHashMap::with_seed(7) };
    let mut region = Region::new(4 << 20, root).expect("memory");
    region
        .transact(|tx, root| {
            for n in 0..200_u64 {
                root.tree.insert(tx, &format!("{n:03}"), &n)?;
                root.texts.insert(tx, &n, &format!("text {n}"))?;
                root.table.insert(tx, &format!("{n:03}"), &n)?;
            }
            Ok(())
        })
        .expect("room");
    region
}

/// The closure of `update` may change the same map: none of what it did is lost, nor any other entry.
#[test]
fn an_update_whose_closure_changes_the_map_loses_nothing() {
    // Neighbours, the same key, entries far away, and enough of them to split what the update is in.
    for (from, to) in [(100, 101), (99, 100), (0, 40), (90, 110), (0, 200)] {
        let mut region = maps();
        region
            .transact(|tx, root| {
                root.tree.update(tx, "100", |old| {
                    for n in from..to {
                        root.tree.insert(tx, &format!("{n:03}+"), &n).expect("room");
                        root.tree.remove(tx, &format!("{n:03}")).expect("room");
                    }
                    old.map_or(0, |old| old + 1)
                })?;
                root.texts.update(tx, &100, |old| {
                    for n in from..to {
                        root.texts.insert(tx, &(n + 1000), "new").expect("room");
                        root.texts.remove(tx, &n).expect("room");
                    }
                    format!("{} and more", old.unwrap_or("nothing"))
                })?;
                root.table.update(tx, "100", |old| {
                    for n in from..to {
                        root.table.insert(tx, &format!("{n:03}+"), &n).expect("room");
                        root.table.remove(tx, &format!("{n:03}")).expect("room");
                    }
                    old.map_or(0, |old| old + 1)
                })?;
                Ok(())
            })
            .expect("it commits");
        let mut expected: std::collections::BTreeMap<String, u64> =
            (0..200).map(|n| (format!("{n:03}"), n)).collect();
        for n in from..to {
            expected.insert(format!("{n:03}+"), n);
            expected.remove(&format!("{n:03}"));
        }
        expected.insert("100".into(), 101);
        let expected: Vec<(&str, u64)> = expected.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        let root = region.root();
        let found: Vec<(&str, u64)> = root.tree.iter(&Committed).map(|(key, value)| (key, *value)).collect();
        assert_eq!(found, expected, "{from}..{to}");
        let mut found: Vec<(&str, u64)> =
            root.table.iter(&Committed).map(|(key, value)| (key, *value)).collect();
        found.sort();
        assert_eq!(found, expected, "{from}..{to}");
        assert_eq!(root.texts.len(&Committed), expected.len());
        assert_eq!(root.texts.get(&Committed, &100), Some("text 100 and more"));
        assert!((from..to).all(|n| root.texts.get(&Committed, &(n + 1000)) == Some("new")));
        let objects = region.usage().expect("valid").objects;
        // All that is there is owned once: clearing gives it all back.
        region
            .transact(|tx, root| {
                root.tree.clear(tx);
                root.texts.clear(tx);
                root.table.clear(tx);
                Ok(())
            })
            .expect("it commits");
        assert!(objects > 1 && region.usage().expect("valid").objects == 1);
    }
}

/// The same through `Borrow`, which is called at a time of the crate's choosing.
#[test]
fn a_value_that_changes_the_map_when_it_is_borrowed_loses_nothing() {
    struct Value<F>(F, u64);
    impl<F: Fn()> Borrow<u64> for Value<F> {
        fn borrow(&self) -> &u64 {
            (self.0)();
            &self.1
        }
    }
    let mut region = maps();
    region
        .transact(|tx, root| {
            let change = || {
                for n in 0..60_u64 {
                    root.tree.insert(tx, &format!("{n:03}+"), &n).expect("room");
                    root.table.insert(tx, &format!("{n:03}+"), &n).expect("room");
                }
            };
            root.tree.update(tx, "030", |_| Value(change, 1))?;
            root.table.update(tx, "030", |_| Value(change, 1))?;
            root.tree.update(tx, "new", |_| Value(change, 2))?;
            root.table.update(tx, "new", |_| Value(change, 2))?;
            Ok(())
        })
        .expect("it commits");
    let root = region.root();
    assert_eq!((root.tree.len(&Committed), root.table.len(&Committed)), (261, 261));
    assert_eq!((root.tree.get(&Committed, "030"), root.table.get(&Committed, "new")), (Some(&1), Some(&2)));
    region.usage().expect("valid");
}

/// `rebuild` draws its entries from an iterator that uses the transaction, and the map itself.
#[test]
fn a_rebuild_from_the_map_itself_that_also_changes_it_is_a_rebuild() {
    let mut region = maps();
    region
        .transact(|tx, root| {
            let entries = root.tree.iter(&Committed).map(|(key, value)| {
                root.tree.remove(tx, key).expect("room");
                root.tree.insert(tx, "other", &1).expect("room");
                (key, value * 2)
            });
            root.tree.rebuild(tx, entries)
        })
        .expect("it commits");
    let found: Vec<u64> = region.root().tree.iter(&Committed).map(|(_, value)| *value).collect();
    assert_eq!(found, (0..200).map(|n| n * 2).collect::<Vec<u64>>());
    region.usage().expect("valid");
}

thread_local! {
    /// What the order of keys is to be: 0 as it should, 1 upside down, 2 everything equal, 3 nothing, 4 random,
    /// 5 a panic.
    static ORDER: Cell<(u32, u64)> = const { Cell::new((0, 1)) };
}

/// A key whose order depends on the weather.
#[derive(Persistent, Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
struct Liar(u64);

impl PartialOrd for Liar {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Liar {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mode, seed) = ORDER.get();
        let random = Chance::new(seed).next();
        ORDER.set((mode, random));
        match mode {
            0 => self.0.cmp(&other.0),
            1 => other.0.cmp(&self.0),
            2 => Ordering::Equal,
            3 => Ordering::Less,
            4 => [Ordering::Less, Ordering::Equal, Ordering::Greater][(random >> 11) as usize % 3],
            _ if random >> 11 & 7 == 0 => resume_unwind(Box::new("no order")),
            _ => self.0.cmp(&other.0),
        }
    }
}

/// Whatever the order of the keys: what is committed is a valid region, in which everything has one owner.
#[test]
fn keys_that_lie_about_their_order_spoil_nothing_but_the_order() {
    for seed in 1..60_u64 {
        let mut random = Chance::new(seed);
        let mut region = Region::new(4 << 20, BTreeMap::<Liar, str>::new()).expect("memory");
        for _ in 0..30 {
            ORDER.set((random.below(6) as u32, random.next()));
            let before = region.usage().expect("valid").objects;
            let result = catch_unwind(AssertUnwindSafe(|| {
                region.transact(|tx, map| {
                    for _ in 0..random.below(60) {
                        let key = Liar(random.below(300) as u64);
                        match random.below(4) {
                            0 => drop(map.remove(tx, &key)?),
                            1 => drop(map.get(tx, &key)),
                            _ => drop(map.insert(tx, &key, "value")?),
                        }
                    }
                    // It may never end, as in std.
                    map.iter(tx).take(1000).for_each(drop);
                    map.iter(tx).rev().take(1000).for_each(drop);
                    Ok(())
                })
            }));
            let usage = region.usage().expect("valid");
            assert_eq!(usage.unreached_bytes, 0, "seed {seed}");
            match result {
                Ok(result) => result.expect("it commits"),
                Err(payload) => {
                    assert_eq!(payload.downcast_ref::<&str>(), Some(&"no order"), "seed {seed}");
                    assert_eq!(usage.objects, before);
                }
            }
        }
        ORDER.set((0, 1));
        region
            .transact(|tx, map| {
                map.clear(tx);
                Ok(())
            })
            .expect("it commits");
        assert_eq!(region.usage().expect("valid").objects, 1);
    }
}

/// Keys and values without size, and empty slices.
#[test]
fn maps_of_nothing_hold_it_once() {
    #[derive(Persistent)]
    #[repr(C)]
    struct Nothings {
        tree: BTreeMap<(), ()>,
        lists: BTreeMap<[u8], [u8]>,
        table: PmHashMap<(), ()>,
        texts: PmHashMap<str, str>,
    }
    let root = Nothings {
        tree: BTreeMap::new(),
        lists: BTreeMap::new(),
        table: PmHashMap::new(),
        texts: PmHashMap::new(),
    };
    let mut region = Region::new(1 << 20, root).expect("memory");
    for _ in 0..3 {
        region
            .transact(|tx, root| {
                root.tree.insert(tx, &(), &())?;
                root.lists.insert(tx, b"", b"")?;
                root.table.insert(tx, &(), &())?;
                root.texts.insert(tx, "", "")?;
                Ok(())
            })
            .expect("it commits");
    }
    let root = region.root();
    let lens = [
        root.tree.len(&Committed),
        root.lists.len(&Committed),
        root.table.len(&Committed),
        root.texts.len(&Committed),
    ];
    assert_eq!((lens, root.texts.get(&Committed, "")), ([1; 4], Some("")));
}

/// Whoever knows a map's seed can choose keys whose hashes end alike: they share a bucket, and the map does not grow
/// for them.
#[test]
fn keys_whose_hashes_end_alike_make_a_bucket_long_and_the_map_no_larger() {
    const SEED: u64 = 7;
    let alike = |bits: u32, count: usize| -> Vec<u64> {
        let ends =
            |key: &u64| xxhash_rust::xxh3::xxh3_64_with_seed(&key.to_le_bytes(), SEED) << (64 - bits) == 0;
        (0..).filter(ends).take(count).collect()
    };
    let root = PmHashMap::<u64, u64>::with_seed(SEED);
    let mut region = Options::new().max_len(4 << 20).emulated(1 << 20, root).expect("memory");
    let keys = alike(14, 100);
    for key in &keys {
        region.transact(|tx, map| map.insert(tx, key, key).map(drop)).expect("room");
    }
    let usage = region.usage().expect("valid");
    assert!(usage.object_bytes < 16 << 10, "{} bytes", usage.object_bytes);
    // Others come and go beside them, and the map grows for those.
    for from in (0..4000_u64).step_by(100) {
        region
            .transact(|tx, map| (from..from + 100).try_for_each(|n| map.insert(tx, &!n, &n).map(drop)))
            .expect("room");
    }
    let map = region.root();
    assert!(keys.iter().all(|key| map.get(&Committed, key) == Some(key)));
    assert!((0..4000).all(|n| map.get(&Committed, &!n) == Some(&n)));
    assert_eq!(map.len(&Committed), 4100);
}

/// An iterator through a transaction may repeat or miss what is inserted while it runs. It ends, though: what the map
/// grows by meanwhile is not a part of it.
#[test]
fn an_iterator_ends_whatever_is_inserted_while_it_runs() {
    let mut region = Options::new()
        .max_len(64 << 20)
        .journal_words(1 << 16)
        .emulated(4 << 20, PmHashMap::<u64, u64>::with_seed(7))
        .expect("memory");
    region.transact(|tx, map| (0..200).try_for_each(|n| map.insert(tx, &n, &n).map(drop))).expect("room");
    let seen = region
        .transact(|tx, map| {
            let mut seen = 0_u64;
            for _ in map.iter(tx).take(20_000) {
                seen += 1;
                map.insert(tx, &(1000 + 2 * seen), &seen)?;
                map.insert(tx, &(1001 + 2 * seen), &seen)?;
            }
            Ok(seen)
        })
        .expect("room");
    assert!(seen < 10_000, "{seen} entries of 200");
}
