//! Very many operations beside a `VecDeque`, the same ones each time: two million in a long run, or as many as
//! `INDELIBLE_LOG_OPERATIONS` says.

use indelible::collections::Log;
use indelible::medium::{MemoryFileSystem, PageCache};
use indelible::{Error, Options, Persistent, Region, Result, Tx};
use indelible_test_support::chance::Chance;
use indelible_test_support::folder;
use indelible_test_support::long::{number, short_or};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    log: Log,
}

type Made = Region<Root, PageCache>;

/// A record: each has a tag of its own.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Record {
    tag: u64,
    len: usize,
}

impl Record {
    fn bytes(self) -> Vec<u8> {
        let mut bytes = self.tag.to_le_bytes().repeat(self.len.div_ceil(8));
        bytes.truncate(self.len);
        bytes
    }
}

#[derive(Clone)]
struct Model {
    first: u64,
    records: VecDeque<Record>,
}

impl Model {
    fn next(&self) -> u64 {
        self.first + self.records.len() as u64
    }
    fn get(&self, seq: u64) -> Option<Record> {
        self.records.get(usize::try_from(seq.checked_sub(self.first)?).ok()?).copied()
    }
}

#[derive(Default, Debug)]
struct Counts {
    operations: u64,
    transactions: u64,
    aborts: u64,
    full: u64,
    opens: u64,
}

struct Run {
    random: Chance,
    tag: u64,
    counts: Counts,
}

impl Run {
    fn record(&mut self) -> Record {
        self.tag += 1;
        let len = if self.random.below_u64(20) == 0 {
            self.random.below_u64(700)
        } else {
            self.random.below_u64(40)
        };
        Record { tag: self.tag, len: len as usize }
    }

    /// One step of a transaction.
    fn step<'t>(&mut self, tx: &Tx<'t, PageCache>, log: &'t Log, model: &mut Model) -> Result<()> {
        self.counts.operations += 1;
        let result = match self.random.below_u64(100) {
            0..70 => {
                let record = self.record();
                log.append(tx, &record.bytes()).map(|seq| {
                    assert_eq!(seq, model.next());
                    model.records.push_back(record);
                })
            }
            70..85 => {
                let batch: Vec<Record> = (0..self.random.below_u64(12)).map(|_| self.record()).collect();
                let bytes: Vec<Vec<u8>> = batch.iter().map(|record| record.bytes()).collect();
                log.append_all(tx, bytes.iter().map(Vec::as_slice)).map(|seq| {
                    assert_eq!(seq, model.next());
                    self.counts.operations += batch.len() as u64;
                    model.records.extend(batch);
                })
            }
            85..95 => {
                let gone = self.random.below_u64(model.records.len() as u64 / 4 + 4);
                let gone = gone.min(model.records.len() as u64);
                log.truncate_front(tx, model.first + gone);
                model.records.drain(..gone as usize);
                model.first += gone;
                Ok(())
            }
            95..99 => {
                let from = model.next().saturating_sub(self.random.below_u64(9)).max(model.first);
                model.records.truncate((from - model.first) as usize);
                log.truncate_back(tx, from)
            }
            _ => {
                // All go: a checkpoint.
                model.first = model.next();
                model.records.clear();
                log.truncate_front(tx, u64::MAX);
                Ok(())
            }
        };
        match result {
            Err(Error::LogFull { .. }) => {
                self.counts.full += 1;
                Ok(())
            }
            other => other,
        }
    }

    fn transaction(&mut self, region: &mut Made, model: &mut Model) {
        self.counts.transactions += 1;
        let (steps, end) = (1 + self.random.below_u64(24), self.random.below_u64(16));
        let mut to = model.clone();
        let result = catch_unwind(AssertUnwindSafe(|| {
            region.transact(|tx, root| {
                for _ in 0..steps {
                    self.step(tx, &root.log, &mut to)?;
                }
                match end {
                    0 => Err(Error::other("an abort")),
                    1 => std::panic::resume_unwind(Box::new("a panic")),
                    _ => Ok(()),
                }
            })
        }));
        match (end, result) {
            (0, Ok(Err(Error::Other(_)))) | (1, Err(_)) => self.counts.aborts += 1,
            (2.., Ok(Ok(()))) => *model = to,
            (_, Ok(result)) => panic!("{result:?}"),
            (_, Err(panic)) => std::panic::resume_unwind(panic),
        }
    }

    /// Looks a few up.
    fn look(&mut self, log: &Log, model: &Model) {
        assert_eq!((log.next_seq(), log.len()), (model.next(), model.records.len() as u64));
        for _ in 0..3 {
            let seq = model.first + self.random.below_u64(model.records.len() as u64 + 2);
            assert_eq!(log.get(seq), model.get(seq).map(Record::bytes).as_deref());
            let few = log.iter_from(seq).take(3).map(|(seq, record)| (seq, record.to_vec()));
            assert!(few.eq((seq..model.next()).take(3).map(|seq| (seq, model.get(seq).unwrap().bytes()))));
            self.counts.operations += 4;
        }
    }

    fn look_at_all(&mut self, log: &Log, model: &Model) {
        let all = log.iter().map(|(seq, record)| (seq, record.to_vec()));
        assert!(all.eq((model.first..model.next()).zip(model.records.iter().map(|record| record.bytes()))));
        self.counts.operations += log.len();
    }
}

fn options() -> Options {
    Options::new().max_len(1 << 22).allow_memory_file_system(MemoryFileSystem::Tmpfs)
}

fn open(path: &Path) -> Made {
    // SAFETY: the file is the test's own.
    unsafe { options().open(path) }.expect("a good region")
}

#[test]
fn millions_of_operations() {
    let wanted = number("INDELIBLE_LOG_OPERATIONS", short_or(200_000, 2_000_000));
    let folder = folder::in_memory();
    let path = folder.path().join("log");
    // SAFETY: as above.
    let mut region: Made = unsafe { options().create(&path, 128 << 10, Root::default()) }.expect("room");
    region.transact(|tx, root| root.log.create(tx, 12_000)).expect("room");
    let mut run = Run { random: Chance::new(1), tag: 0, counts: Counts::default() };
    let mut model = Model { first: 1, records: VecDeque::new() };
    while run.counts.operations < wanted {
        run.transaction(&mut region, &mut model);
        run.look(&region.root().log, &model);
        if run.counts.transactions.is_multiple_of(300) {
            // Half of the times as after a kill.
            if run.random.below_u64(2) == 0 {
                region.close().expect("a good disk");
            } else {
                let copy = folder.path().join("copy");
                std::fs::copy(&path, &copy).expect("room on the disk");
                drop(region);
                std::fs::rename(&copy, &path).expect("the test's own");
            }
            region = open(&path);
            run.counts.opens += 1;
            run.look_at_all(&region.root().log, &model);
        }
        if run.counts.transactions.is_multiple_of(1_000) {
            let capacity = 8_000 + run.random.below_u64(16_000);
            match region.transact(|tx, root| root.log.resize(tx, capacity)) {
                Ok(()) => assert_eq!(region.root().log.capacity(), capacity.next_multiple_of(64)),
                Err(Error::LogFull { .. }) => run.counts.full += 1,
                Err(error) => panic!("{error}"),
            }
            run.look_at_all(&region.root().log, &model);
        }
    }
    assert_eq!(region.usage().expect("a good region").objects, 2);
    let next = region.root().log.next_seq();
    println!("{:?}, the next record is number {next}", run.counts);
    assert!(run.counts.full > 0 && run.counts.aborts > 0);
}
