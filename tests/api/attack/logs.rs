//! Logs that are given iterators which panic or call back, and more than they can hold.

use super::*;
use indelible::collections::Log;

#[derive(Persistent, Default)]
#[repr(C)]
struct Logs {
    log: Log,
    other: Log,
    count: Word<u64>,
}

fn logs(capacity: u64) -> Region<Logs, Emulated> {
    let mut region = Options::new().max_len(1 << 20).emulated(1 << 20, Logs::default()).expect("memory");
    region
        .transact(|tx, root| {
            root.log.create(tx, capacity)?;
            root.other.create(tx, capacity)
        })
        .expect("room");
    region
}

fn records(log: &Log) -> Vec<(u64, Vec<u8>)> {
    log.iter().map(|(number, record)| (number, record.to_vec())).collect()
}

/// `append_all` is all or none, also where the closure goes on after the panic and commits.
#[test]
fn records_whose_iterator_panics_are_all_gone() {
    let mut region = logs(4096);
    region
        .transact(|tx, root| {
            root.log.append(tx, b"before")?;
            panics(|| {
                let records = [&b"one"[..], b"two", b"three"].into_iter().enumerate();
                root.log.append_all(
                    tx,
                    records.map(|(index, record)| match index {
                        2 => resume_unwind(Box::new("mine")),
                        _ => record,
                    }),
                )
            });
            root.log.append(tx, b"after")?;
            Ok(())
        })
        .expect("it commits");
    assert_eq!(records(&region.root().log), [(1, b"before".to_vec()), (2, b"after".to_vec())]);
}

/// The iterator may use the transaction: words, and other logs.
#[test]
fn records_whose_iterator_uses_the_transaction_keep_their_numbers() {
    let mut region = logs(4096);
    let first = region
        .transact(|tx, root| {
            let records = [&b"one"[..], b"two", b"three"].into_iter().inspect(|record| {
                tx.store(&root.count, tx.load(&root.count) + 1);
                root.other.append(tx, record).expect("room");
            });
            root.log.append_all(tx, records)
        })
        .expect("it commits");
    let root = region.root();
    assert_eq!(root.count.get(), 3);
    assert_eq!((root.other.len(), root.log.len()), (3, 3));
    let numbers: Vec<Option<&[u8]>> = (first..first + 3).map(|number| root.log.get(number)).collect();
    assert_eq!(numbers, [Some(&b"one"[..]), Some(b"two"), Some(b"three")]);
}

/// An iterator without an end is a log that is full.
#[test]
fn records_without_an_end_are_refused() {
    let mut region = logs(4096);
    region
        .transact(|tx, root| {
            for record in [&b""[..], b"record"] {
                let full = root.log.append_all(tx, std::iter::repeat(record));
                assert!(matches!(full, Err(Error::LogFull { .. })), "{full:?}");
            }
            let none = Log::new();
            let full = Box::leak(Box::new(none)).append_all(tx, std::iter::repeat(&b""[..]));
            assert!(matches!(full, Err(Error::LogFull { .. })), "{full:?}");
            Ok(())
        })
        .expect("it commits");
    assert!(region.root().log.is_empty());
}

/// Numbers at the ends of what a `u64` holds, before there is a ring, with an empty one, and with records.
#[test]
fn any_number_may_be_asked_for_and_truncated_at() {
    let ends = [0, 1, 2, 3, u64::MAX - 1, u64::MAX];
    for (from, back) in ends.into_iter().flat_map(|from| ends.map(|back| (from, back))) {
        for filled in [0, 2, 200] {
            let mut region = logs(4096);
            region
                .transact(|tx, root| (0..filled).try_for_each(|_| root.log.append(tx, b"record").map(drop)))
                .expect("room");
            let log = &region.root().log;
            for number in ends {
                assert_eq!(log.get(number).is_some(), (1..=filled).contains(&number));
                assert!(log.iter_from(number).count() as u64 <= filled);
            }
            region
                .transact(|tx, root| {
                    root.log.truncate_front(tx, from);
                    root.log.append(tx, b"new")?;
                    root.log.truncate_back(tx, back)?;
                    root.log.truncate_front(tx, from);
                    root.log.append(tx, b"newest")?;
                    root.log.truncate_back(tx, back)
                })
                .expect("it commits");
            let log = &region.root().log;
            assert_eq!(log.iter().count() as u64, log.len(), "{filled} {from} {back}");
            assert!(log.iter().map(|(number, _)| number).eq(log.next_seq() - log.len()..log.next_seq()));
            region.usage().expect("valid");
            let before = records(log);
            region.transact(|tx, root| root.log.append(tx, b"last").map(drop)).expect("room");
            let after = records(&region.root().log);
            assert_eq!(after[..before.len()], before, "{filled} {from} {back}");
            assert_eq!(after.last().expect("one").1, b"last");
        }
    }
}

/// Lengths that no ring has room for, or no memory.
#[test]
fn capacities_and_records_beyond_everything_are_refused() {
    let mut region = logs(4096);
    region
        .transact(|tx, root| {
            for capacity in [u64::MAX, 1 << 62, (16 << 30) + 1] {
                assert!(matches!(root.log.resize(tx, capacity), Err(Error::BadLength { .. })));
            }
            assert!(matches!(root.log.resize(tx, 16 << 30), Err(Error::HeapFull { .. })));
            for len in [4081, 1 << 20] {
                let full = root.log.append(tx, &vec![7; len]);
                assert!(matches!(full, Err(Error::LogFull { .. })), "{len} {full:?}");
            }
            root.log.append(tx, &[7; 4080])?;
            assert!(matches!(root.log.append(tx, b""), Err(Error::LogFull { .. })));
            Ok(())
        })
        .expect("it commits");
    assert_eq!(region.root().log.get(1).map(<[u8]>::len), Some(4080));
}

/// A log in an object that the transaction makes, moves, rewrites and frees while it uses the log.
#[test]
fn a_log_in_an_object_that_goes_about_stays_with_it() {
    #[derive(Persistent)]
    #[repr(C)]
    struct Owner {
        log: Log,
        next: Link<Owner>,
    }
    let owner = || Owner { log: Log::new(), next: Link::null() };
    let mut region = Region::new(1 << 20, owner()).expect("memory");
    region
        .transact(|tx, root| {
            tx.publish(&root.next, tx.persist(tx.alloc(owner())?)?);
            let inner = tx.get(&root.next).expect("it was published");
            inner.log.create(tx, 1000)?;
            inner.log.append(tx, b"one")?;
            let moved = tx.rewrite(tx.take(&root.next).expect("full"))?;
            tx.publish(&root.next, tx.persist(moved)?);
            let moved = tx.get(&root.next).expect("it was published");
            assert!(inner.log.append(tx, b"lost").is_err(), "the old block owns nothing");
            moved.log.append(tx, b"two").map(drop)
        })
        .expect("it commits");
    let inner = region.root().next.get().expect("full");
    assert_eq!(records(&inner.log), [(1, b"one".to_vec()), (2, b"two".to_vec())]);
    // Appended to and freed in one transaction, and its place used again by the next.
    for _ in 0..3 {
        region
            .transact(|tx, root| {
                let inner = tx.get(&root.next).expect("full");
                inner.log.append(tx, b"three")?;
                inner.log.truncate_front(tx, 2);
                tx.free(tx.take(&root.next));
                inner.log.append(tx, b"four")?;
                tx.publish(&root.next, tx.persist(tx.alloc(owner())?)?);
                tx.get(&root.next).expect("it was published").log.create(tx, 1000)
            })
            .expect("it commits");
        let usage = region.usage().expect("valid");
        assert_eq!((usage.objects, usage.unreached_bytes), (3, 0));
        assert!(region.root().next.get().expect("full").log.is_empty());
    }
}

/// The iterator changes its own log as it ends, when no record follows at which that would be seen.
#[test]
fn an_iterator_that_changes_its_own_log_as_it_ends_is_found_out() {
    type Last = for<'t> fn(&'t Log, &Tx<'t, Emulated>);
    let lasts: [Last; 5] = [
        |log, tx| log.destroy(tx),
        |log, tx| {
            log.destroy(tx);
            log.create(tx, 4096).expect("room");
        },
        |log, tx| assert!(log.append(tx, b"inner").is_ok()),
        |log, tx| log.truncate_back(tx, 0).expect("it can be"),
        |log, tx| log.truncate_front(tx, u64::MAX),
    ];
    for (number, last) in lasts.into_iter().enumerate() {
        for given in [&[][..], &[&b"one"[..], b"two"]] {
            let mut region = logs(4096);
            region.transact(|tx, root| root.log.append(tx, b"durable").map(drop)).expect("room");
            let result = catch_unwind(AssertUnwindSafe(|| {
                region.transact(|tx, root| {
                    root.log.append(tx, b"before")?;
                    root.log.append_all(tx, and_then(given, || last(&root.log, tx)))
                })
            }));
            let payload = result.err().unwrap_or_else(|| panic!("{number}, {given:?}: nobody noticed"));
            let message = payload.downcast::<String>().expect("a message");
            assert!(message.contains("changes the log that they are appended to"), "{number}: {message}");
            assert_eq!(records(&region.root().log), [(1, b"durable".to_vec())]);
        }
    }
}

/// These records, and something that happens behind the last of them.
fn and_then<'a>(records: &[&'a [u8]], end: impl FnOnce()) -> impl Iterator<Item = &'a [u8]> {
    let (mut records, mut end) = (records.iter().copied(), Some(end));
    std::iter::from_fn(move || {
        let next = records.next();
        if next.is_none() {
            end.take().into_iter().for_each(|end| end());
        }
        next
    })
}

/// Whatever such an iterator does: the region opens again, and what was acknowledged is there.
#[test]
fn what_follows_an_iterator_that_changes_its_own_log_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
    let mut wrong = Vec::new();
    for truncated in [false, true] {
        let path = folder.path().join(if truncated { "truncated" } else { "whole" });
        // SAFETY: the file is in a folder of this test's own.
        let mut region =
            unsafe { options.create::<Logs, PageCache>(&path, 1 << 20, Logs::default()) }.expect("room");
        region.transact(|tx, root| root.log.create(tx, 4096)).expect("room");
        let _ = catch_unwind(AssertUnwindSafe(|| {
            region.transact(|tx, root| {
                root.log.append_all(tx, and_then(&[], || drop(root.log.append(tx, b"inner"))))?;
                root.log.append(tx, b"one")?;
                root.log.append(tx, b"two")
            })
        }));
        for record in [&b"acknowledged"[..], b"as well as it", b"and this"] {
            region.transact(|tx, root| root.log.append(tx, record).map(drop)).expect("room");
        }
        if truncated {
            let last = region.root().log.next_seq() - 1;
            region.transact(|tx, root| root.log.truncate_back(tx, last)).expect("it can be");
        }
        let before = records(&region.root().log);
        region.close().expect("it can be");
        // SAFETY: as above.
        match unsafe { options.open::<Logs, PageCache>(&path) } {
            Ok(region) if records(&region.root().log) == before => {}
            Ok(region) => {
                wrong.push(format!("of {} records {} are left", before.len(), region.root().log.len()))
            }
            Err(error) => wrong.push(error.to_string()),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
