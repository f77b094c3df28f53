//! A log beside a `VecDeque`: appends, batches, truncations, aborts, panics, and files that are closed, dropped
//! by a kill, or copied while they are open.

use indelible::collections::Log;
use indelible::medium::PageCache;
use indelible::{Error, Options, Persistent, Region, Word};
use indelible_test_support::long::short_or;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    log: Log,
    word: Word<u64>,
}

type Made = Region<Root, PageCache>;

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Batch(Vec<usize>),
    /// This part of the records, in 256ths.
    Front(u8),
    Back(u8),
    Resize(u64),
    Word,
}

#[derive(Clone, Debug)]
enum End {
    Commit,
    Abort,
    Panic,
}

#[derive(Clone, Debug)]
enum Action {
    Transaction(Vec<Step>, End),
    Reopen,
    /// Goes on with a copy of the file as another process would see it after a kill.
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![4 => 0_usize..40, 1 => 40_usize..300];
    prop_oneof![
        6 => len.clone().prop_map(Step::Append),
        2 => proptest::collection::vec(len, 0..6).prop_map(Step::Batch),
        2 => any::<u8>().prop_map(Step::Front),
        2 => any::<u8>().prop_map(Step::Back),
        1 => (0_u64..2000).prop_map(Step::Resize),
        1 => Just(Step::Word),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let end = prop_oneof![8 => Just(End::Commit), 1 => Just(End::Abort), 1 => Just(End::Panic)];
    prop_oneof![
        20 => (proptest::collection::vec(step(), 1..4), end).prop_map(|(steps, end)| Action::Transaction(steps, end)),
        1 => Just(Action::Reopen),
        1 => Just(Action::Kill),
    ]
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    first: u64,
    records: VecDeque<Vec<u8>>,
    word: u64,
    counter: u64,
}

impl Model {
    fn record(&mut self, len: usize) -> Vec<u8> {
        self.counter += 1;
        (0..len).map(|i| (self.counter * 31 + i as u64) as u8).collect()
    }

    fn seq(&self, part: u8) -> u64 {
        self.first + (self.records.len() as u64 + 1) * u64::from(part) / 256
    }
}

fn transact(region: &mut Made, model: &mut Model, steps: &[Step], end: &End) {
    let mut to = model.clone();
    let result = catch_unwind(AssertUnwindSafe(|| {
        region.transact(|tx, root| {
            for (index, step) in steps.iter().enumerate() {
                let next = to.first + to.records.len() as u64;
                match step {
                    Step::Append(len) => {
                        let record = to.record(*len);
                        match root.log.append(tx, &record) {
                            Ok(seq) => {
                                assert_eq!(seq, next);
                                to.records.push_back(record);
                            }
                            // It goes on without this one.
                            Err(Error::LogFull { .. }) => {}
                            Err(error) => return Err(error),
                        }
                    }
                    Step::Batch(lens) => {
                        let batch: Vec<Vec<u8>> = lens.iter().map(|&len| to.record(len)).collect();
                        match root.log.append_all(tx, batch.iter().map(Vec::as_slice)) {
                            Ok(seq) => {
                                assert_eq!(seq, next);
                                to.records.extend(batch);
                            }
                            Err(Error::LogFull { .. }) => {}
                            Err(error) => return Err(error),
                        }
                    }
                    Step::Front(part) => {
                        let seq = to.seq(*part);
                        root.log.truncate_front(tx, seq);
                        to.records.drain(..(seq - to.first) as usize);
                        to.first = seq;
                    }
                    Step::Back(part) => {
                        let seq = to.seq(*part);
                        root.log.truncate_back(tx, seq)?;
                        to.records.truncate((seq - to.first) as usize);
                    }
                    Step::Resize(capacity) if index == 0 => match root.log.resize(tx, *capacity) {
                        Ok(()) | Err(Error::LogFull { .. }) => {}
                        Err(error) => return Err(error),
                    },
                    Step::Resize(_) => {}
                    Step::Word => {
                        to.word += 1;
                        tx.store(&root.word, to.word);
                    }
                }
            }
            match end {
                End::Commit => Ok(()),
                End::Abort => Err(Error::other("an abort")),
                End::Panic => std::panic::resume_unwind(Box::new("a panic")),
            }
        })
    }));
    match (end, result) {
        (End::Commit, Ok(result)) => {
            result.expect("it commits");
            *model = to;
        }
        (End::Abort, Ok(Err(Error::Other(_)))) | (End::Panic, Err(_)) => model.counter = to.counter,
        (_, Ok(other)) => panic!("{other:?}"),
        (_, Err(payload)) => std::panic::resume_unwind(payload),
    }
}

fn compare(log: &Log, model: &Model) {
    let records: Vec<(u64, &[u8])> = log.iter().collect();
    let expected: Vec<(u64, &[u8])> = model
        .records
        .iter()
        .enumerate()
        .map(|(i, record)| (model.first + i as u64, record.as_slice()))
        .collect();
    assert_eq!(records, expected);
    assert_eq!(log.len(), expected.len() as u64);
    assert_eq!(log.iter().len(), expected.len());
    assert_eq!(log.next_seq(), model.first + model.records.len() as u64);
    assert_eq!(log.first_seq(), expected.first().map(|record| record.0));
    assert_eq!(log.last_seq(), expected.last().map(|record| record.0));
    assert!(log.used() <= log.capacity());
    for seq in model.first.saturating_sub(1)..=log.next_seq() {
        let index = seq.checked_sub(model.first).map(|index| index as usize);
        assert_eq!(log.get(seq), index.and_then(|index| model.records.get(index)).map(Vec::as_slice));
        let from = log.iter_from(seq).map(|(seq, _)| seq);
        assert!(from.eq(seq.max(model.first)..log.next_seq()));
    }
}

fn open(path: &Path) -> Made {
    // SAFETY: the test's own file.
    unsafe { options().open(path) }.expect("it opens")
}

fn options() -> Options {
    Options::new().max_len(1 << 24).allow_memory_file_system(indelible::medium::MemoryFileSystem::Tmpfs)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: short_or(60, 300), ..ProptestConfig::default() })]

    #[test]
    fn it_is_a_queue_that_survives(
        capacity in 64_u64..1500,
        actions in proptest::collection::vec(action(), 1..60),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut path = folder.path().join("0");
        // SAFETY: the test's own file.
        let mut region: Made =
            unsafe { options().create(&path, 1 << 17, Root::default()) }.expect("room");
        region.transact(|tx, root| root.log.create(tx, capacity)).expect("room");
        let mut model = Model { first: 1, ..Model::default() };
        for (index, action) in actions.iter().enumerate() {
            match action {
                Action::Transaction(steps, end) => transact(&mut region, &mut model, steps, end),
                Action::Reopen => {
                    region.close().expect("it closes");
                    region = open(&path);
                }
                Action::Kill => {
                    let copy = folder.path().join((index + 1).to_string());
                    std::fs::copy(&path, &copy).unwrap();
                    drop(region);
                    path = copy;
                    region = open(&path);
                    assert!(region.was_recovered());
                }
            }
            compare(&region.root().log, &model);
            prop_assert_eq!(region.root().word.get(), model.word);
        }
        region.usage().expect("nothing is damaged");
    }
}
