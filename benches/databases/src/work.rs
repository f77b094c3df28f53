//! The workloads, and the table.

use crate::key::{Key, VALUE};
use crate::stores::*;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Zipf};
use std::path::Path;
use std::time::Instant;

/// The number of the `n`th key: spread over all of `u64`.
fn spread(n: u64) -> u64 {
    let x = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// Turns, and operations in one.
struct Turns {
    count: usize,
    reads: usize,
    writes: usize,
}

/// What is compared.
#[derive(Clone, Copy, PartialEq)]
pub enum Sides {
    /// Our maps, databases, and std's maps.
    All,
    /// Our maps in several shapes, and std's.
    Maps,
}

pub fn run(folder: &Path, entries: u64, quick: bool, sides: Sides) {
    let turns = match quick {
        true => Turns { count: 9, reads: 2000, writes: 300 },
        false => Turns { count: 25, reads: 20_000, writes: 2000 },
    };
    kind::<u64>(folder, entries, &turns, sides, true);
    kind::<[u8; 16]>(folder, entries, &turns, sides, false);
}

type Stores<K> = (Vec<&'static str>, Vec<Box<dyn Store<K>>>);

fn stores<K: Key>(folder: &Path, sides: Sides) -> Stores<K> {
    let folder = tempfile::tempdir_in(folder).unwrap().keep();
    let mut stores: Vec<(&str, Box<dyn Store<K>>)> = vec![("tree", Box::new(Tree::new(Load::Rebuild)))];
    if sides == Sides::Maps {
        stores.push(("grown tree", Box::new(Tree::new(Load::Shuffled))));
        stores.push(("linked tree", Box::new(Linked::new())));
    }
    stores.push(("hash", Box::new(Hash::new())));
    if sides == Sides::All {
        stores.push(("redb", Box::new(Redb::new(&folder))));
        stores.push(("lmdb", Box::new(Lmdb::new(&folder))));
        stores.push(("fjall", Box::new(Fjall::new(&folder))));
    }
    stores.push(("std tree", Box::new(StdTree::new())));
    stores.push(("std hash", Box::new(StdHash::new())));
    stores.into_iter().unzip()
}

/// Which columns are divided by which: the least of the first by the second.
fn ratios(names: &[&str]) -> Vec<(String, Vec<usize>, usize)> {
    let at = |name: &str| names.iter().position(|&other| other == name);
    let databases: Vec<usize> = ["redb", "lmdb", "fjall"].into_iter().filter_map(at).collect();
    let mut ratios = Vec::new();
    if let (Some(tree), false) = (at("tree"), databases.is_empty()) {
        ratios.push(("best database/tree".into(), databases, tree));
    }
    for (ours, std) in
        [("tree", "std tree"), ("grown tree", "std tree"), ("linked tree", "std tree"), ("hash", "std hash")]
    {
        if let (Some(above), Some(below)) = (at(ours), at(std)) {
            ratios.push((format!("{ours}/{std}"), vec![above], below));
        }
    }
    ratios
}

fn kind<K: Key>(folder: &Path, entries: u64, turns: &Turns, sides: Sides, header: bool) {
    let mut sorted: Vec<(K, Value)> = (0..entries).map(|n| (K::new(spread(n)), [n as u8; VALUE])).collect();
    sorted.sort_unstable_by_key(|&(key, _)| key);
    let (names, mut stores) = stores::<K>(folder, sides);
    if header {
        let ratios: Vec<String> = ratios(&names).into_iter().map(|(name, ..)| name).collect();
        println!("keys,operation,{},{}", names.join(","), ratios.join(","));
    }
    let row = |operation: &str, times: &[Option<f64>]| row(&names, K::NAME, operation, times);
    let loads: Vec<f64> = stores
        .iter_mut()
        .map(|store| {
            let start = Instant::now();
            store.load(&sorted);
            start.elapsed().as_nanos() as f64 / entries as f64
        })
        .collect();
    row("load sorted", &loads.iter().map(|&load| Some(load)).collect::<Vec<_>>());
    drop(sorted);

    let random = &mut StdRng::seed_from_u64(1);
    let zipf = Zipf::new(entries as f64, 0.99).unwrap();
    // The most frequent are spread over the keys.
    let mut uniform = |random: &mut StdRng| K::new(spread(random.random_range(0..entries)));
    let mut skewed = |random: &mut StdRng| K::new(spread(spread(zipf.sample(random) as u64 - 1) % entries));
    let picks: [(&str, &mut dyn FnMut(&mut StdRng) -> K); 2] =
        [("uniform", &mut uniform), ("zipf", &mut skewed)];
    let mut next = entries;
    for (name, pick) in picks {
        let mut keys = |random: &mut StdRng, n: usize| (0..n).map(|_| pick(random)).collect::<Vec<K>>();
        let reads = turns_of(
            &mut stores,
            turns.count,
            random,
            |random| keys(random, turns.reads),
            |store, keys| {
                let found = keys.iter().filter(|key| store.get(key).is_some()).count();
                assert_eq!(found, keys.len());
                keys.len()
            },
        );
        row(&format!("read {name}"), &reads);
        let updates = turns_of(
            &mut stores,
            turns.count,
            random,
            |random| keys(random, turns.writes),
            |store, keys| {
                keys.iter().enumerate().for_each(|(n, key)| store.put(key, &[n as u8; VALUE]));
                keys.len()
            },
        );
        row(&format!("update {name}"), &updates);
        let mixed = turns_of(
            &mut stores,
            turns.count,
            random,
            |random| keys(random, turns.writes),
            |store, keys| {
                for (n, key) in keys.iter().enumerate() {
                    match n % 2 {
                        0 => store.put(key, &[n as u8; VALUE]),
                        _ => assert!(store.get(key).is_some()),
                    }
                }
                keys.len()
            },
        );
        row(&format!("mixed {name}"), &mixed);
        let scans = turns_of(
            &mut stores,
            turns.count,
            random,
            |random| keys(random, turns.reads / 100),
            |store, keys| {
                let sums = keys.iter().map(|key| store.scan(key, 100)).collect::<Option<Vec<_>>>();
                sums.map_or(0, |sums| sums.len())
            },
        );
        row(&format!("scan 100 {name}"), &scans);
    }
    let inserts = turns_of(
        &mut stores,
        turns.count,
        random,
        |_| {
            let keys = (next..next + turns.writes as u64).map(|n| K::new(spread(n))).collect();
            next += turns.writes as u64;
            keys
        },
        |store, keys| {
            keys.iter().for_each(|key| store.put(key, &[1; VALUE]));
            keys.len()
        },
    );
    row("insert", &inserts);
}

/// The median of the nanoseconds that an operation took, for each store: turn by turn, in changing order.
fn turns_of<K: Key>(
    stores: &mut [Box<dyn Store<K>>],
    count: usize,
    random: &mut StdRng,
    mut keys: impl FnMut(&mut StdRng) -> Vec<K>,
    run: impl Fn(&mut dyn Store<K>, &[K]) -> usize,
) -> Vec<Option<f64>> {
    let mut times = vec![Vec::new(); stores.len()];
    let mut order: Vec<usize> = (0..stores.len()).collect();
    for _ in 0..count {
        let keys = keys(random);
        order.shuffle(random);
        for &store in &order {
            let start = Instant::now();
            let operations = run(&mut *stores[store], &keys);
            let time = start.elapsed().as_nanos() as f64;
            if operations > 0 {
                times[store].push(time / operations as f64);
            }
        }
    }
    times
        .into_iter()
        .map(|mut times| {
            times.sort_unstable_by(f64::total_cmp);
            times.get(times.len() / 2).copied()
        })
        .collect()
}

fn row(names: &[&str], keys: &str, operation: &str, times: &[Option<f64>]) {
    let cell = |time: Option<f64>, digits| time.map_or("-".into(), |time| format!("{time:.digits$}"));
    let mut cells: Vec<String> = times.iter().map(|&time| cell(time, 0)).collect();
    for (_, above, below) in ratios(names) {
        let above = above.into_iter().filter_map(|at| times[at]).min_by(f64::total_cmp);
        cells.push(cell(above.zip(times[below]).map(|(above, below)| above / below), 2));
    }
    println!("{keys},{operation},{}", cells.join(","));
}
