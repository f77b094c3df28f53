//! Every number that only rises, driven to its end: those of the journal's records, of a log's records, of the
//! positions of its bytes, and of its truncations at the back. Files are made by hand that are nearly there.
//!
//! What is committed can be opened, as often as one likes; what can't be counted is [`Error::UsedUp`] and changes
//! nothing; what can't have been counted is [`Error::Damaged`] at the first open, and at every other.

use indelible::collections::Log;
use indelible::medium::{MemoryFileSystem, PageCache};
use indelible::{Error, Options, Persistent, Region, Result, Word};
use indelible_test_support::{folder, image::Image};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    log: Log,
    a: Word<u64>,
    b: Word<u64>,
}

type Made = Region<Root, PageCache>;

/// The last number of a journal's record.
const LAST_RECORD: u64 = (1 << 62) - 1;
/// The number that a log's next record has when no more can come.
const LAST_NEXT: u64 = 1 << 62;
/// Where the last lap of a ring may end.
const LAST_POSITION: u64 = 1 << 62;
const LAST_EPOCH: u64 = (1 << 30) - 1;

// The words of a ring's header.
const HEAD: usize = 0;
const HEAD_SEQ: usize = 8;
const FIRST: usize = 16;
const EPOCH: usize = 24;
const CUT: usize = 32;

/// A folder, and the file in it that is open or that a kill left.
struct Place {
    folder: tempfile::TempDir,
    copies: u32,
}

impl Place {
    /// In memory, where a sync costs nothing.
    fn new() -> Self {
        let folder = folder::in_memory();
        Place { folder, copies: 0 }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(self.copies.to_string())
    }

    fn open(&self) -> Result<Made> {
        open(&self.path())
    }

    /// Opens the file as another process would see it after a kill.
    fn kill(&mut self, region: Made) -> Made {
        let old = self.path();
        self.copies += 1;
        std::fs::copy(&old, self.path()).expect("room");
        drop(region);
        std::fs::remove_file(old).expect("the test's own");
        self.open().expect("what was committed can be opened")
    }

    fn reopen(&self, region: Made) -> Made {
        region.close().expect("it closes");
        self.open().expect("what was committed can be opened")
    }

    /// A closed region with an empty log of so many bytes, of which `edit` changes the words of the log's header.
    fn make(&self, capacity: u64, edit: impl FnOnce(&mut Image, usize)) {
        // SAFETY: the file is the test's own.
        let mut region: Made =
            unsafe { options().create(self.path(), 1 << 16, Root::default()) }.expect("room");
        region.transact(|tx, root| root.log.create(tx, capacity)).expect("room");
        region.close().expect("it closes");
        let mut image = Image::read(&self.path());
        let ring = image.follow(image.root());
        edit(&mut image, ring);
        image.write(&self.path());
    }
}

fn options() -> Options {
    Options::new().journal_words(16).allow_memory_file_system(MemoryFileSystem::Tmpfs)
}

fn open(path: &Path) -> Result<Made> {
    // SAFETY: the file is the test's own.
    unsafe { options().open(path) }
}

fn store_both(region: &mut Made, value: u64) -> Result<()> {
    region.transact(|tx, root| {
        tx.store(&root.a, value);
        tx.store(&root.b, value);
        Ok(())
    })
}

fn words(region: &Made) -> (u64, u64) {
    (region.root().a.get(), region.root().b.get())
}

fn used_up<T: std::fmt::Debug>(result: Result<T>) -> u64 {
    match result {
        Err(Error::UsedUp { last, .. }) => last,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn damaged(place: &Place) {
    for _ in 0..2 {
        let result = place.open();
        assert!(matches!(result, Err(Error::Damaged { .. })), "{result:?}");
    }
}

/// Each open uses up a number too, and then none: such a region opens for ever, and lone words can be stored.
#[test]
fn journal_records_end_and_the_region_opens_again_and_again() {
    for left in 0..6 {
        let mut place = Place::new();
        place.make(640, |image, _| {
            let at = image.retired();
            image.set(at, LAST_RECORD - left);
        });
        let mut region = place.open().expect("a number that was reached");
        // One was the open's.
        let value = left.max(1);
        for value in 1..value {
            store_both(&mut region, value).expect("a number");
        }
        for round in 0..4 {
            assert_eq!(words(&region), (value - 1, value - 1));
            assert_eq!(used_up(store_both(&mut region, 77)), LAST_RECORD);
            // Directly behind a record too, whose words are not settled.
            region
                .transact(|tx, root| {
                    tx.store(&root.a, 7);
                    Ok(())
                })
                .expect("one word");
            region.transact(|tx, root| root.log.append(tx, b"alone")).expect("one frame");
            assert_eq!(words(&region), (7, value - 1));
            region
                .transact(|tx, root| {
                    tx.store(&root.a, value - 1);
                    Ok(())
                })
                .expect("one word");
            region = if round % 2 == 0 { place.kill(region) } else { place.reopen(region) };
            assert_eq!(region.root().log.len(), round + 1);
        }
        drop(region);
        let image = Image::read(&place.path());
        assert_eq!(image.word(image.retired()), LAST_RECORD);
    }
}

/// The last record of all is replayed, however often a process is killed meanwhile.
#[test]
fn the_last_journal_record_is_replayed() {
    let mut place = Place::new();
    place.make(640, |image, _| {
        let at = image.retired();
        image.set(at, LAST_RECORD - 3);
    });
    let mut region = place.open().expect("a number that was reached");
    store_both(&mut region, 1).expect("the last but one");
    store_both(&mut region, 2).expect("the last");
    let mut image = Image::read(&place.path());
    let root = image.root();
    assert_eq!((image.word(root + 8), image.word(root + 16)), (2, 2));
    image.set(root + 8, 0).set(root + 16, 0);
    drop(region);
    image.write(&place.path());
    for _ in 0..3 {
        let region = place.open().expect("what was committed can be opened");
        assert_eq!(words(&region), (2, 2));
        place.kill(region);
    }
}

#[test]
fn journal_numbers_behind_the_last_are_damage() {
    for number in [LAST_RECORD + 1, LAST_RECORD + 2, u64::MAX] {
        for slot in [false, true] {
            let place = Place::new();
            place.make(64, |image, _| {
                let at = if slot { image.slot(0) } else { image.retired() };
                image.set(at, number);
            });
            damaged(&place);
        }
    }
}

#[test]
fn numbers_of_log_records_end_and_none_is_lost() {
    let mut place = Place::new();
    place.make(640, |image, ring| {
        image.set(ring + HEAD_SEQ, LAST_NEXT - 3).set(ring + FIRST, LAST_NEXT - 3);
    });
    let mut region = place.open().expect("numbers that were reached");
    assert_eq!(region.transact(|tx, root| root.log.append(tx, b"a")).expect("a number"), LAST_NEXT - 3);
    // All of a batch or nothing.
    let batch = region.transact(|tx, root| root.log.append_all(tx, [&b"b"[..], b"c", b"too many"]));
    assert_eq!(used_up(batch), LAST_NEXT - 1);
    assert_eq!(
        region.transact(|tx, root| root.log.append_all(tx, [&b"b"[..], b"c"])).expect("numbers"),
        LAST_NEXT - 2
    );
    for round in 0..3 {
        assert_eq!(used_up(region.transact(|tx, root| root.log.append(tx, b"x"))), LAST_NEXT - 1);
        let log = &region.root().log;
        assert_eq!((log.last_seq(), log.next_seq(), log.len()), (Some(LAST_NEXT - 1), LAST_NEXT, 3));
        region = if round % 2 == 0 { place.kill(region) } else { place.reopen(region) };
    }
    region
        .transact(|tx, root| {
            root.log.truncate_front(tx, LAST_NEXT);
            Ok(())
        })
        .expect("a truncation");
    region = place.reopen(region);
    assert_eq!((region.root().log.next_seq(), region.root().log.len()), (LAST_NEXT, 0));
    assert_eq!(used_up(region.transact(|tx, root| root.log.append(tx, b"x"))), LAST_NEXT - 1);
    // A copy of it can be made, and opened; and what the error advises helps.
    region
        .transact(|tx, root| {
            root.log.destroy(tx);
            root.log.create_from(tx, 640, LAST_NEXT)
        })
        .expect("room");
    region = place.reopen(region);
    assert_eq!(used_up(region.transact(|tx, root| root.log.append(tx, b"x"))), LAST_NEXT - 1);
    region
        .transact(|tx, root| {
            root.log.destroy(tx);
            root.log.create(tx, 640)
        })
        .expect("room");
    assert_eq!(region.transact(|tx, root| root.log.append(tx, b"x")).expect("room"), 1);

    for (head, first) in [(1, LAST_NEXT + 1), (LAST_NEXT + 1, LAST_NEXT + 1), (u64::MAX, u64::MAX)] {
        let place = Place::new();
        place.make(64, |image, ring| {
            image.set(ring + HEAD_SEQ, head).set(ring + FIRST, first);
        });
        damaged(&place);
    }
}

#[test]
fn truncations_of_a_logs_back_end_and_a_new_ring_begins_anew() {
    let mut place = Place::new();
    place.make(640, |image, ring| {
        image.set(ring + EPOCH, LAST_EPOCH - 2);
    });
    let mut region = place.open().expect("an epoch that was reached");
    for _ in 0..2 {
        region.transact(|tx, root| root.log.append_all(tx, [&b"a"[..], b"b"])).expect("room");
        region.transact(|tx, root| root.log.truncate_back(tx, root.log.next_seq() - 1)).expect("an epoch");
    }
    region.transact(|tx, root| root.log.append(tx, b"c")).expect("room");
    for round in 0..3 {
        let refused = region.transact(|tx, root| root.log.truncate_back(tx, 2));
        assert_eq!(used_up(refused), LAST_EPOCH);
        assert!(region.root().log.iter().map(|(_, record)| record).eq([&b"a"[..], b"a", b"c"]));
        region = if round % 2 == 0 { place.kill(region) } else { place.reopen(region) };
    }
    // A closure may go on after it was refused: what it had appended is there.
    region
        .transact(|tx, root| {
            root.log.append(tx, b"d")?;
            assert_eq!(used_up(root.log.truncate_back(tx, 2)), LAST_EPOCH);
            root.log.append(tx, b"e")
        })
        .expect("room");
    assert!(region.root().log.iter().map(|(_, record)| record).eq([&b"a"[..], b"a", b"c", b"d", b"e"]));
    // To take back what the transaction itself appended, or nothing, needs no epoch.
    region
        .transact(|tx, root| {
            let next = root.log.append(tx, b"f")?;
            root.log.truncate_back(tx, next)?;
            root.log.truncate_back(tx, next + 1)
        })
        .expect("nothing that was committed goes");
    assert_eq!(region.root().log.len(), 5);
    region.transact(|tx, root| root.log.resize(tx, 320)).expect("room");
    region.transact(|tx, root| root.log.truncate_back(tx, 2)).expect("an epoch");
    region = place.kill(region);
    assert_eq!(region.root().log.len(), 1);

    let place = Place::new();
    place.make(64, |image, ring| {
        image.set(ring + EPOCH, LAST_EPOCH + 1);
    });
    damaged(&place);
}

#[test]
fn positions_of_a_log_end_and_a_new_ring_begins_anew() {
    // 2^62 is a multiple of the first capacity only.
    for capacity in [512, 192, 320, 4160] {
        let last = LAST_POSITION / capacity * capacity;
        let mut place = Place::new();
        place.make(capacity, |image, ring| {
            image.set(ring + HEAD, last - capacity);
        });
        let mut region = place.open().expect("a position that was reached");
        let mut model: VecDeque<Vec<u8>> = VecDeque::new();
        let mut refused = 0;
        for round in 0..40_u8 {
            let record = vec![round; usize::from(round) % 30];
            match region.transact(|tx, root| root.log.append(tx, &record)) {
                Ok(_) => model.push_back(record),
                Err(Error::LogFull { .. }) => {
                    // Also over the end, where another lap would begin.
                    let all = round % 2 == 0;
                    let first = region.root().log.first_seq().expect("it is full");
                    let to = if all { u64::MAX } else { first + 1 };
                    region
                        .transact(|tx, root| {
                            root.log.truncate_front(tx, to);
                            Ok(())
                        })
                        .expect("a truncation");
                    model.drain(..if all { model.len() } else { 1 });
                }
                Err(Error::UsedUp { last, .. }) => {
                    assert_eq!(last, LAST_POSITION);
                    refused += 1;
                    // It can be emptied, from both ends, and opened.
                    if refused == 3 && !model.is_empty() {
                        let back = region.root().log.next_seq() - 1;
                        region.transact(|tx, root| root.log.truncate_back(tx, back)).expect("a truncation");
                        model.pop_back();
                    }
                    if refused == 6 {
                        region
                            .transact(|tx, root| {
                                root.log.truncate_front(tx, u64::MAX);
                                Ok(())
                            })
                            .expect("all");
                        model.clear();
                    }
                }
                Err(error) => panic!("{error}"),
            }
            region = if round % 2 == 0 { place.kill(region) } else { place.reopen(region) };
            assert!(region.root().log.iter().map(|(_, record)| record).eq(&model), "{capacity}: {round}");
        }
        if refused < 6 {
            for _ in 0..1000 {
                match region.transact(|tx, root| root.log.append(tx, &[1; 16])) {
                    Ok(_) | Err(Error::LogFull { .. }) => {}
                    Err(_) => break,
                }
                region
                    .transact(|tx, root| {
                        root.log.truncate_front(tx, u64::MAX);
                        Ok(())
                    })
                    .expect("a truncation");
            }
            region = place.reopen(region);
        }
        assert_eq!(used_up(region.transact(|tx, root| root.log.append(tx, b"x"))), LAST_POSITION);
        let before: Vec<Vec<u8>> = region.root().log.iter().map(|(_, record)| record.to_vec()).collect();
        region
            .transact(|tx, root| {
                root.log.resize(tx, root.log.capacity())?;
                root.log.append(tx, b"")
            })
            .expect("what the error advises");
        region = place.kill(region);
        assert!(region.root().log.iter().map(|(_, record)| record).take(before.len()).eq(before));
    }
}

#[test]
fn positions_that_no_log_reaches_are_damage() {
    for (capacity, head) in [
        (512, LAST_POSITION + 16),
        (512, u64::MAX - 15),
        // Emptied, it would be in another lap.
        (192, LAST_POSITION - 16),
        (320, LAST_POSITION),
    ] {
        let place = Place::new();
        place.make(capacity, |image, ring| {
            image.set(ring + HEAD, head);
        });
        damaged(&place);
    }
    let place = Place::new();
    place.make(512, |image, ring| {
        image.set(ring + HEAD, LAST_POSITION);
    });
    let region = place.open().expect("the last of all");
    assert_eq!(region.root().log.len(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Batch(usize, usize),
    /// So many go.
    Front(u64),
    Back(u64),
    /// The ring is moved to one of so many bytes.
    Resize(u64),
    Begin,
    Lone,
    Both,
    AppendAndStore,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_usize..60).prop_map(Step::Append),
        2 => (0_usize..5, 0_usize..20).prop_map(|(count, len)| Step::Batch(count, len)),
        2 => prop_oneof![0_u64..5, Just(1 << 63)].prop_map(Step::Front),
        2 => prop_oneof![0_u64..5, Just(1 << 63)].prop_map(Step::Back),
        1 => (64_u64..700).prop_map(Step::Resize),
        1 => Just(Step::Begin),
        1 => Just(Step::Lone),
        2 => Just(Step::Both),
        2 => Just(Step::AppendAndStore),
    ]
}

#[derive(Clone, Debug, PartialEq)]
struct Model {
    first: u64,
    records: VecDeque<Vec<u8>>,
    words: (u64, u64),
}

impl Model {
    fn next(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    fn check(&self, region: &Made) {
        let log = &region.root().log;
        assert_eq!((log.next_seq(), log.len()), (self.next(), self.records.len() as u64));
        assert!(log.iter().eq((self.first..).zip(self.records.iter().map(Vec::as_slice))));
        assert_eq!(words(region), self.words);
    }

    /// What is to be changed is changed, or nothing is and it is said why.
    fn run(&mut self, region: &mut Made, step: &Step, value: u64) {
        let mut to = self.clone();
        let byte = value as u8;
        let result = region.transact(|tx, root| {
            match *step {
                Step::Append(len) => {
                    root.log.append(tx, &vec![byte; len])?;
                    to.records.push_back(vec![byte; len]);
                }
                Step::Batch(count, len) => {
                    let record = vec![byte; len];
                    root.log.append_all(tx, (0..count).map(|_| record.as_slice()))?;
                    (0..count).for_each(|_| to.records.push_back(record.clone()));
                }
                Step::Front(gone) => {
                    let gone = gone.min(to.records.len() as u64);
                    root.log.truncate_front(tx, to.first + gone);
                    to.records.drain(..gone as usize);
                    to.first += gone;
                }
                Step::Back(gone) => {
                    let gone = gone.min(to.records.len() as u64);
                    root.log.truncate_back(tx, to.next() - gone)?;
                    to.records.truncate(to.records.len() - gone as usize);
                }
                Step::Resize(capacity) => root.log.resize(tx, capacity)?,
                Step::Begin => {
                    root.log.destroy(tx);
                    // At the end again, and as far before it as the last number tells.
                    to.first = LAST_NEXT - to.next() % 4;
                    root.log.create_from(tx, 320, to.first)?;
                    to.records.clear();
                }
                Step::Lone => {
                    tx.store(&root.a, value);
                    to.words.0 = value;
                }
                Step::Both => {
                    tx.store(&root.a, value);
                    tx.store(&root.b, value);
                    to.words = (value, value);
                }
                Step::AppendAndStore => {
                    root.log.append(tx, &[byte; 8])?;
                    to.records.push_back(vec![byte; 8]);
                    tx.store(&root.b, value);
                    to.words.1 = value;
                }
            }
            Ok(())
        });
        match result {
            Ok(()) => *self = to,
            Err(Error::UsedUp { .. } | Error::LogFull { .. }) => {}
            Err(error) => panic!("{step:?}: {error}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// All numbers at once begin at any small distance from their ends.
    #[test]
    fn what_is_committed_at_the_end_of_the_numbers_is_there_after_every_open(
        capacity in prop::sample::select(vec![64_u64, 192, 320, 512, 704]),
        record in 0_u64..12,
        number in prop_oneof![0_u64..12, Just(1 << 40)],
        epoch in prop_oneof![0_u64..5, Just(1 << 20)],
        position in prop_oneof![0_u64..100, Just(1 << 40)],
        steps in proptest::collection::vec((step(), 0_u8..8), 1..30),
    ) {
        let mut place = Place::new();
        place.make(capacity, |image, ring| {
            let at = image.retired();
            let first = LAST_NEXT - number;
            image.set(at, LAST_RECORD - record).set(ring + HEAD_SEQ, first).set(ring + FIRST, first);
            image.set(ring + HEAD, LAST_POSITION - 16 * position).set(ring + EPOCH, LAST_EPOCH - epoch);
            image.set(ring + CUT, 0);
        });
        let mut region = match place.open() {
            Ok(region) => region,
            Err(error) => {
                prop_assert!(matches!(error, Error::Damaged { .. }), "{error}");
                damaged(&place);
                return Ok(());
            }
        };
        let mut model = Model { first: LAST_NEXT - number, records: VecDeque::new(), words: (0, 0) };
        for (index, (step, end)) in steps.iter().enumerate() {
            model.run(&mut region, step, index as u64 + 1);
            model.check(&region);
            match end {
                0 => region = place.kill(region),
                1 => region = place.reopen(region),
                _ => continue,
            }
            model.check(&region);
        }
        for _ in 0..3 {
            region = place.kill(region);
            model.check(&region);
        }
    }
}

/// More than is worth a hash, where the record before the last has an entry in the middle: a frame that needs a record, and
/// whose checksum alone would not.
#[test]
fn a_long_frame_over_what_a_record_names_is_in_a_record_too() {
    let mut place = Place::new();
    place.make(1 << 20, |_, _| ());
    let mut region = place.open().expect("good");
    let mut model = Model { first: 1, records: VecDeque::new(), words: (0, 0) };
    let steps = [Step::Append(8), Step::AppendAndStore, Step::Back(2), Step::Append(300_000)];
    for (index, step) in steps.iter().enumerate() {
        model.run(&mut region, step, index as u64 + 1);
        model.check(&region);
    }
    assert_eq!(model.records.len(), 1);
    region = place.kill(region);
    model.check(&region);
}
