//! Maps in damaged files: words are changed, and links led elsewhere, and the region is opened for real.
//!
//! It is refused, or it opens, and then nothing that is done with its maps panics or goes on for ever: they answer
//! what they find, or [`Error::Damaged`], and the region stays one that opens. What an opening accepts is what each
//! object can be by itself: that keys are in order, or a map's levels fit together, it does not look at.

use indelible::collections::{BTreeMap, HashMap};
use indelible::medium::{MemoryFileSystem, PageCache};
use indelible::{Committed, Error, Options, Persistent, Region, Result};
use indelible_test_support::{chance::Chance, folder, image::Image};
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[derive(Persistent)]
#[repr(C)]
struct Root {
    tree: BTreeMap<u64, [u64; 7]>,
    texts: BTreeMap<str, [u8]>,
    table: HashMap<u64, u64>,
    names: HashMap<str, u64>,
}

type Opened = Region<Root, PageCache>;

fn options() -> Options {
    Options::new().journal_words(64).max_len(1 << 20).allow_memory_file_system(MemoryFileSystem::Tmpfs)
}

fn open(path: &Path) -> Result<Opened> {
    // SAFETY: the file is the test's own.
    unsafe { options().open(path) }
}

/// A closed region in which this was done.
fn build(path: &Path, fill: impl FnOnce(&mut Opened)) -> Image {
    let root = Root {
        tree: BTreeMap::new(),
        texts: BTreeMap::new(),
        table: HashMap::with_seed(1),
        names: HashMap::with_seed(1),
    };
    // SAFETY: as above.
    let mut region: Opened = unsafe { options().create(path, 64 << 10, root) }.expect("room");
    fill(&mut region);
    region.close().expect("closed");
    Image::read(path)
}

/// Neither keys nor values look like links, which are multiples of 8.
fn key(n: u64) -> u64 {
    n * 1000 + 1
}

fn value(n: u64) -> u64 {
    n * 2 + 101
}

fn text(n: u64) -> String {
    format!("{n:05}")
}

/// More entries than there are; an iterator that answers so many goes round.
const MANY: usize = 5000;

/// Reads everything there is, in every way; how many entries were found.
fn read(root: &Root, most: u64) -> usize {
    for n in (0..most).step_by(7).chain([most - 1]) {
        root.tree.get(&Committed, &key(n));
        root.texts.get(&Committed, &text(n));
        root.table.get(&Committed, &key(n));
        root.names.contains_key(&Committed, &text(n));
    }
    root.tree.range(&Committed, key(3)..key(most / 2)).take(MANY).count();
    root.tree.range(&Committed, key(most / 3)..).rev().take(MANY).count();
    let (from, to) = (text(2), text(most / 2));
    let bounds = (Bound::Excluded(from.as_str()), Bound::Included(to.as_str()));
    root.texts.range(&Committed, bounds).take(MANY).count();
    let _ = (root.tree.first(&Committed), root.tree.last(&Committed), root.texts.last(&Committed));
    let _ = (root.tree.len(&Committed), root.texts.len(&Committed));
    let _ = (root.table.len(&Committed), root.names.is_empty(&Committed));
    let counts = [
        root.tree.iter(&Committed).take(MANY).count(),
        root.tree.iter(&Committed).rev().take(MANY).count(),
        root.texts.iter(&Committed).take(MANY).count(),
        root.texts.iter(&Committed).rev().take(MANY).count(),
        root.table.iter(&Committed).take(MANY).count(),
        root.names.iter(&Committed).take(MANY).count(),
    ];
    assert!(counts.iter().all(|&count| count < MANY), "an iterator without an end: {counts:?}");
    counts.iter().sum()
}

/// Inserts, replaces and removes, so that nodes split and merge and the tables grow; how often a map said that it
/// is damaged.
fn change(region: &mut Opened, most: u64) -> usize {
    let mut damaged = 0;
    for step in 0..12 {
        let at = most * step / 12;
        let result = region.transact(|tx, root| {
            for n in at..(at + 12).min(most) {
                if root.tree.is_empty(tx) {
                    break;
                }
                match step % 3 {
                    0 => root.tree.insert(tx, &(key(n) + 1), &[n; 7]).map(drop)?,
                    1 => root.tree.remove(tx, &key(n)).map(drop)?,
                    _ => root.tree.update(tx, &key(n), |_| [1; 7]).map(drop)?,
                }
            }
            for n in at..(at + 12).min(most) {
                if root.texts.is_empty(tx) {
                    break;
                }
                match step % 3 {
                    0 => root.texts.insert(tx, &(text(n) + "+"), b"new").map(drop)?,
                    1 => root.texts.remove(tx, &text(n)).map(drop)?,
                    _ => root.texts.insert(tx, &text(n), b"replaced").map(drop)?,
                }
            }
            for n in at..(at + 12).min(most) {
                match step % 3 {
                    0 => {
                        root.table.insert(tx, &(key(n) + 1), &n)?;
                        root.names.insert(tx, &(text(n) + "+"), &n)?;
                    }
                    1 => {
                        root.table.remove(tx, &key(n))?;
                        root.names.remove(tx, &text(n))?;
                    }
                    _ => {
                        root.table.insert(tx, &key(n), &1)?;
                        root.names.insert(tx, &text(n), &1)?;
                    }
                }
            }
            Ok(())
        });
        match result {
            Ok(()) => {}
            Err(Error::Damaged { place, .. }) if place == "a map" => damaged += 1,
            // Not enough for a map that a wrong count has made large.
            Err(Error::HeapFull { .. } | Error::JournalFull { .. } | Error::BadLength { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    damaged
}

#[derive(Debug, Default)]
struct Outcomes {
    refused: usize,
    /// Opened, and everything found as it was.
    unchanged: usize,
    changed: usize,
    /// Of those that opened: a change answered that the file is damaged.
    said_so: usize,
}

/// What a case is tried on.
struct Harness<'a> {
    good: &'a Image,
    path: &'a Path,
    most: u64,
    entries: usize,
    outcomes: Outcomes,
}

impl<'a> Harness<'a> {
    fn new(good: &'a Image, path: &'a Path, most: u64) -> Self {
        good.write(path);
        let entries = read(open(path).expect("good").root(), most);
        Harness { good, path, most, entries, outcomes: Outcomes::default() }
    }

    /// Opens a file in which these words have these values.
    fn attempt(&mut self, words: &[(usize, u64)]) {
        let mut image = self.good.clone();
        for &(at, value) in words {
            image.set(at, value);
        }
        if image.0 == self.good.0 {
            return;
        }
        image.write(self.path);
        let case = || -> String {
            words.iter().map(|&(at, to)| format!("{at:#x}: {:#x} to {to:#x}; ", self.good.word(at))).collect()
        };
        let tried = catch_unwind(AssertUnwindSafe(|| {
            let mut region = match open(self.path) {
                Ok(region) => region,
                Err(Error::Damaged { place, expected, .. }) => {
                    assert!(place.starts_with("root.") && !expected.is_empty(), "{place}: {expected}");
                    return None;
                }
                Err(error) => panic!("{error:?}"),
            };
            let entries = read(region.root(), self.most);
            let damaged = change(&mut region, self.most);
            read(region.root(), 2 * self.most);
            region.usage().expect("every object has one owner");
            region.close().expect("closed");
            let mut region = open(self.path).expect("it opens again");
            region
                .transact(|tx, root| {
                    root.tree.clear(tx);
                    root.texts.clear(tx);
                    root.table.clear(tx);
                    root.names.clear(tx);
                    Ok(())
                })
                .expect("a map can be emptied, whatever is in it");
            assert_eq!(region.usage().expect("valid").objects, 1, "the root");
            assert_eq!(read(region.root(), self.most), 0);
            Some((entries, damaged))
        }));
        match tried {
            Ok(None) => self.outcomes.refused += 1,
            Ok(Some((entries, damaged))) => {
                match entries == self.entries {
                    true => self.outcomes.unchanged += 1,
                    false => self.outcomes.changed += 1,
                }
                self.outcomes.said_so += usize::from(damaged > 0);
            }
            Err(_) => panic!("{}", case()),
        }
    }

    /// Every word where the root and objects may be.
    fn words(&self) -> impl Iterator<Item = usize> + use<> {
        let end = self.good.0.iter().rposition(|&byte| byte != 0).expect("contents");
        (self.good.root()..end + 8).step_by(8).collect::<Vec<_>>().into_iter()
    }

    /// Words that are links, as far as one can see.
    fn links(&self) -> Vec<usize> {
        let heap = self.good.heap()..self.good.0.len();
        let is_link = |&at: &usize| {
            let value = self.good.word(at);
            value != 0 && value.is_multiple_of(8) && heap.contains(&at.wrapping_add(value as usize))
        };
        self.words().filter(is_link).collect()
    }
}

/// Changes words and links of a region with maps in which there were keys below `most`.
fn damage(name: &str, most: u64, fill: impl FnOnce(&mut Opened)) {
    let folder = folder::in_memory();
    let path = folder.path().join("x");
    let good = build(&path, fill);
    let mut harness = Harness::new(&good, &path, most);
    assert!(harness.entries > 0);
    let mut chance = Chance::new(1);

    let links = harness.links();
    for at in harness.words().filter(|&at| at < good.root() + size_of::<Root>() || at >= good.heap()) {
        let word = good.word(at);
        let all = [0, 1, 7, 8, 9, 40, 64, u64::MAX, 1 << 63, word ^ 1 << chance.below(64), word ^ 0xff << 8];
        // All of these for what may be a count of keys, and in the root; else one, and most keys and values are
        // passed over.
        let is_small = (1..=8).contains(&word) || at < good.root() + size_of::<Root>();
        let turns = match is_small {
            true => all.len(),
            false => usize::from(links.contains(&at) || chance.below(4) == 0),
        };
        for turn in 0..turns {
            harness.attempt(&[(at, all[(at / 8 + turn) % all.len()])]);
        }
    }
    println!("{name}: words: {:?}", harness.outcomes);
    let refused = harness.outcomes.refused;
    assert!(refused > 0 && harness.outcomes.unchanged > 0 && harness.outcomes.changed > 0);

    let words: Vec<usize> = harness.words().collect();
    let aim = |slot: usize, at: usize| (slot, at.wrapping_sub(slot) as u64);
    for &a in &links {
        // Gone; and in the place of another, which may get this one's.
        harness.attempt(&[(a, 0)]);
        for _ in 0..3 {
            let b = links[chance.below(links.len())];
            harness.attempt(&[aim(a, good.follow(b)), aim(b, good.follow(a))]);
        }
        let zeros: Vec<usize> = words.iter().copied().filter(|&at| good.word(at) == 0).collect();
        let empty = zeros[chance.below(zeros.len())];
        harness.attempt(&[aim(empty, good.follow(a)), (a, 0)]);
    }
    println!("{name}: words and links: {:?}", harness.outcomes);
}

#[test]
fn a_tree_of_three_levels() {
    damage("tree", 231, |region| {
        region
            .transact(|tx, root| root.tree.rebuild(tx, (0..231).map(|n| (key(n), [value(n); 7]))))
            .expect("room");
    });
}

#[test]
fn a_tree_of_str() {
    damage("tree of str", 90, |region| {
        region
            .transact(|tx, root| root.texts.rebuild(tx, (0..90).map(|n| (text(n), [7; 20]))))
            .expect("room");
    });
}

#[test]
fn hash_maps() {
    damage("hash maps", 120, |region| {
        for n in 0..120 {
            region
                .transact(|tx, root| {
                    root.table.insert(tx, &key(n), &value(n))?;
                    root.names.insert(tx, &text(n), &value(n))?;
                    Ok(())
                })
                .expect("room");
        }
    });
}
