//! Transactions of words, on memory that nobody watches: the explorer's own takes another way to what is pending.
//!
//! After each, the file is copied: as a process leaves it that is killed, and as if nothing had come to memory but the
//! journal. Both are opened.

use super::*;
use indelible::collections::Log;
use indelible_test_support::{folder, image::Image};
use std::fs;
use std::path::Path;

const WORDS: usize = 40;
const ROOM: usize = 12;

#[derive(Persistent)]
#[repr(C)]
struct Words {
    logs: [Log; 3],
    words: [Word<u64>; WORDS],
    list: Link<Node>,
}

#[derive(Clone, Debug, PartialEq)]
struct State {
    words: Vec<u64>,
    logs: Vec<Vec<(u64, Vec<u8>)>>,
    list: Option<u64>,
}

type Opened = Region<Words, PageCache>;

fn options() -> Options {
    Options::new().journal_words(ROOM).allow_memory_file_system(MemoryFileSystem::Tmpfs)
}

fn create(path: &Path) -> Opened {
    let root =
        Words { logs: [const { Log::new() }; 3], words: [0; WORDS].map(Word::new), list: Link::null() };
    // SAFETY: the file is in a folder of the test's own.
    let mut region: Opened = unsafe { options().create(path, 64 << 10, root) }.expect("room");
    region.transact(|tx, root| root.logs.iter().try_for_each(|log| log.create(tx, 1 << 10))).expect("room");
    region
}

fn state(region: &Opened) -> State {
    let root = region.root();
    let records = |log: &Log| log.iter().map(|(number, record)| (number, record.to_vec())).collect();
    assert!(root.logs.iter().all(|log| log.iter().count() as u64 == log.len()));
    State {
        words: root.words.iter().map(Word::get).collect(),
        logs: root.logs.iter().map(records).collect(),
        list: root.list.get().map(|node| node.key),
    }
}

/// What a region is found to hold after a crash that left these bytes.
fn recovered(image: &Image, path: &Path) -> State {
    image.write(path);
    // SAFETY: as above.
    let region: Opened = unsafe { options().open(path) }.expect("it opens");
    let found = state(&region);
    drop(region);
    found
}

/// The journal of one image, and what it is about of another.
fn spliced(journal: &Image, rest: &Image) -> Image {
    let mut image = rest.clone();
    let root = rest.root() - 16;
    image.0[..root].copy_from_slice(&journal.0[..root]);
    image
}

/// The model of `truncate_front` and `truncate_back`, and of an append.
#[derive(Clone, Debug)]
enum Change {
    Store(usize, u64),
    Append(usize, Vec<u8>),
    Front(usize, u64),
    Back(usize, u64),
    Push(u64),
    Pop,
}

fn random_changes(random: &mut Chance, next: &mut [u64; 3]) -> Vec<Change> {
    let mut changes = Vec::new();
    let stores = [0, 1, 2, 3, 9, 14][random.below(6)];
    let first = random.below(WORDS);
    let rising = random.below(2) == 0;
    for n in 0..stores {
        let at = if rising { (first + n) % WORDS } else { random.below(WORDS) };
        // Often the value that is there.
        changes.push(Change::Store(at, random.below(3) as u64));
    }
    if random.below(3) == 0 {
        changes.push(if random.below(2) == 0 { Change::Push(random.next()) } else { Change::Pop });
    }
    if random.below(2) == 0 {
        for _ in 0..random.below(4) {
            let log = random.below(3);
            changes.push(match random.below(6) {
                0 => Change::Front(log, next[log].saturating_sub(random.below(4) as u64)),
                1 => {
                    next[log] = next[log].saturating_sub(random.below(3) as u64).max(1);
                    Change::Back(log, next[log])
                }
                _ => {
                    next[log] += 1;
                    Change::Append(log, vec![random.next() as u8; random.below(70)])
                }
            });
        }
    }
    changes
}

fn apply<'t>(tx: &Tx<'t, PageCache>, root: &'t Words, change: &Change) -> Result<()> {
    match change {
        Change::Store(at, value) => tx.store(&root.words[*at], *value),
        Change::Append(log, record) => drop(root.logs[*log].append(tx, record)?),
        Change::Front(log, to) => root.logs[*log].truncate_front(tx, *to),
        Change::Back(log, from) => root.logs[*log].truncate_back(tx, *from)?,
        Change::Push(key) => {
            let old = tx.take(&root.list);
            tx.free(old);
            tx.stage(&root.list, tx.flush(tx.alloc(node(*key))?));
        }
        Change::Pop => tx.free(tx.take(&root.list)),
    }
    Ok(())
}

fn apply_to(state: &mut State, first: &mut [u64; 3], next: &mut [u64; 3], change: &Change) {
    match change {
        Change::Store(at, value) => state.words[*at] = *value,
        Change::Append(log, record) => {
            state.logs[*log].push((next[*log], record.clone()));
            next[*log] += 1;
        }
        Change::Front(log, to) => {
            first[*log] = first[*log].max((*to).min(next[*log]));
            state.logs[*log].retain(|&(number, _)| number >= first[*log]);
        }
        Change::Back(log, from) => {
            next[*log] = next[*log].min((*from).max(first[*log]));
            state.logs[*log].retain(|&(number, _)| number < next[*log]);
        }
        Change::Push(key) => state.list = Some(*key),
        Change::Pop => state.list = None,
    }
}

/// Aborted, broken off by a panic, too large, and committed, one after the other: what is committed is what the model
/// has, and no more is needed for it than what came to memory before the commit point.
#[test]
fn what_is_committed_is_there_whatever_was_pending_before() {
    let folder = folder::in_memory();
    let (path, copy) = (folder.path().join("region"), folder.path().join("copy"));
    let (mut commits, mut records, mut refused) = (0, 0, 0);
    for seed in 1..16_u64 {
        let mut random = Chance::new(seed);
        let _ = fs::remove_file(&path);
        let mut region = create(&path);
        let mut model = state(&region);
        let (mut first, mut next) = ([1; 3], [1; 3]);
        let mut before = Image::read(&path);
        for round in 0..60 {
            let mut numbers = next;
            let changes = random_changes(&mut random, &mut numbers);
            let end = random.below(6);
            let fence = random.below(8) == 0;
            let result = catch_unwind(AssertUnwindSafe(|| {
                region.transact(|tx, root| {
                    for change in &changes {
                        apply(tx, root, change)?;
                        if fence {
                            tx.fence(())?;
                        }
                    }
                    match end {
                        0 => resume_unwind(Box::new("mine")),
                        1 => Err(Error::other("mine")),
                        _ => Ok(()),
                    }
                })
            }));
            let old = model.clone();
            if let Ok(Ok(())) = result {
                commits += 1;
                changes.iter().for_each(|change| apply_to(&mut model, &mut first, &mut next, change));
            } else if let Ok(Err(Error::JournalFull { .. } | Error::LogFull { .. })) = result {
                refused += 1;
            }
            assert_eq!(state(&region), model, "seed {seed}, round {round}: {changes:?} {result:?}");
            let after = Image::read(&path);
            assert_eq!(recovered(&after, &copy), model, "seed {seed}, round {round}: killed");
            let words_only = changes.iter().all(|change| matches!(change, Change::Store(..)));
            let changed = model.words.iter().zip(&old.words).filter(|(new, old)| new != old).count();
            if words_only && changed > 1 {
                records += 1;
                let found = recovered(&spliced(&after, &before), &copy);
                assert_eq!(found, model, "seed {seed}, round {round}: the journal alone");
            }
            before = after;
        }
        region.usage().expect("valid");
    }
    println!("{commits} commits, {records} records of words, {refused} refused");
    assert!(commits > 300 && records > 50 && refused > 5);
}

fn store_first<'t>(tx: &Tx<'t, PageCache>, root: &'t Words, count: usize, value: u64) -> Result<()> {
    root.words[..count].iter().for_each(|word| tx.store(word, value));
    Ok(())
}

/// A record of each length, of which a word did not come to memory: it does not count.
#[test]
fn a_record_of_any_length_that_is_torn_anywhere_does_not_count() {
    let folder = folder::in_memory();
    let (path, copy) = (folder.path().join("region"), folder.path().join("copy"));
    let mut region = create(&path);
    let mut value = 0;
    for len in (2..=ROOM).chain((2..=ROOM).rev()) {
        // The record before it in its slot is of another length.
        for words in [ROOM + 2 - len, 2] {
            value += 1;
            region.transact(|tx, root| store_first(tx, root, words, value)).expect("room");
        }
        let (old, before) = (state(&region), Image::read(&path));
        value += 1;
        region.transact(|tx, root| store_first(tx, root, len, value)).expect("room");
        let (new, after) = (state(&region), Image::read(&path));
        let whole = spliced(&after, &before);
        assert_eq!(recovered(&whole, &copy), new);
        let record =
            [after.slot(0), after.slot(1)].into_iter().max_by_key(|&slot| after.word(slot)).expect("two");
        assert_eq!(after.word(record + 8), len as u64);
        for at in (record..record + 24 + len * 16).step_by(8) {
            for other in
                [before.word(at), 0, after.word(at) ^ 1, after.word(at) + 1, after.word(at).wrapping_sub(1)]
            {
                if other != after.word(at) {
                    let mut torn = whole.clone();
                    torn.set(at, other);
                    assert_eq!(recovered(&torn, &copy), old, "{len} words, {at:#x}: {other:#x}");
                }
            }
        }
    }
}
