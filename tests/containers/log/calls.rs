//! How a log is called: numbers, what an iterator of records may do, and rules.

use indelible::collections::Log;
use indelible::medium::Emulated;
use indelible::{Error, Persistent, Region, Word};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    log: Log,
    other: Log,
    word: Word<u64>,
}

fn region() -> Region<Root, Emulated> {
    let mut region = Region::new(1 << 20, Root::default()).expect("memory");
    region
        .transact(|tx, root| {
            root.log.create(tx, 1024)?;
            root.other.create(tx, 1024)
        })
        .expect("room");
    region
}

fn records(log: &Log) -> Vec<&[u8]> {
    log.iter().map(|(_, record)| record).collect()
}

#[test]
fn an_iterator_of_records_may_use_the_transaction() {
    let mut region = region();
    let records_of_three = [&b"a"[..], b"b", b"c"];
    region
        .transact(|tx, root| {
            tx.store(&root.word, 1);
            let each = records_of_three.into_iter().inspect(|record| {
                tx.store(&root.word, tx.load(&root.word) + 1);
                root.other.append(tx, record).expect("room");
            });
            assert_eq!(root.log.append_all(tx, each)?, 1);
            Ok(())
        })
        .expect("room");
    assert_eq!(records(&region.root().log), records_of_three);
    assert_eq!(records(&region.root().other), records_of_three);
    assert_eq!(region.root().word.get(), 4);
}

#[test]
fn an_iterator_that_changes_its_own_log_breaks_a_rule() {
    let mut region = region();
    let result = catch_unwind(AssertUnwindSafe(|| {
        region.transact(|tx, root| {
            // The same number of records as before, and as many bytes.
            let each = [&b"a"[..], b"b"].into_iter().inspect(|_| {
                root.log.append(tx, b"x").expect("room");
                root.log.truncate_back(tx, 1).expect("it can be");
            });
            root.log.append_all(tx, each)
        })
    }));
    let message = *result.expect_err("a rule").downcast::<String>().expect("a message");
    assert!(message.contains("changes the log that they are appended to"), "{message}");
    assert!(region.root().log.is_empty());
}

#[test]
fn an_iterator_that_panics_appends_nothing() {
    let mut region = region();
    region
        .transact(|tx, root| {
            root.log.append(tx, b"before")?;
            let each =
                (0..3).map(|n| if n < 2 { &b"lost"[..] } else { std::panic::resume_unwind(Box::new(n)) });
            catch_unwind(AssertUnwindSafe(|| root.log.append_all(tx, each))).expect_err("it panics");
            assert_eq!(root.log.append(tx, b"after")?, 2);
            Ok(())
        })
        .expect("room");
    assert_eq!(records(&region.root().log), [&b"before"[..], b"after"]);
}

#[test]
fn a_batch_that_does_not_fit_leaves_what_was_appended_before_it() {
    let mut region = region();
    region
        .transact(|tx, root| {
            root.log.append(tx, b"before")?;
            let long = [&[7; 500][..]; 3];
            let Err(Error::LogFull { needed, used, capacity }) = root.log.append_all(tx, long) else {
                panic!("it fits")
            };
            // As far as the second of them.
            assert_eq!((needed, used, capacity), (16 + (12 + 2 * 504_u64).next_multiple_of(16), 0, 1024));
            assert_eq!(root.log.append(tx, b"after")?, 2);
            Ok(())
        })
        .expect("room");
    assert_eq!(records(&region.root().log), [&b"before"[..], b"after"]);
}

#[test]
fn numbers_begin_where_they_are_told_to() {
    let mut region = Region::new(1 << 20, Root::default()).expect("memory");
    for first in [0, 7, (1 << 62) - 2] {
        region
            .transact(|tx, root| {
                root.log.destroy(tx);
                root.log.create_from(tx, 640, first)
            })
            .expect("room");
        let log = &region.root().log;
        assert_eq!((log.first_seq(), log.last_seq(), log.next_seq(), log.len()), (None, None, first, 0));
        region
            .transact(|tx, root| {
                assert_eq!(root.log.append(tx, b"one")?, first);
                assert_eq!(root.log.append(tx, b"two")?, first + 1);
                Ok(())
            })
            .expect("room");
        let log = &region.root().log;
        assert_eq!((log.first_seq(), log.last_seq()), (Some(first), Some(first + 1)));
        assert_eq!(log.get(first + 1), Some(&b"two"[..]));
    }
    let result = catch_unwind(AssertUnwindSafe(|| {
        region.transact(|tx, root| root.other.create_from(tx, 640, (1 << 62) + 1))
    }));
    let message = *result.expect_err("a rule").downcast::<String>().expect("a message");
    assert!(message.contains("2^62 or below"), "{message}");
}

/// Wherever the last record ended.
#[test]
fn an_empty_log_has_room_for_a_record_as_long_as_its_ring() {
    let mut region = region();
    for len in [0, 100, 500, 1008] {
        region.transact(|tx, root| root.log.append(tx, &vec![1; len])).expect("room");
        region
            .transact(|tx, root| {
                root.log.truncate_front(tx, u64::MAX);
                Ok(())
            })
            .expect("committed");
        assert_eq!((region.root().log.used(), region.root().log.len()), (0, 0));
        region.transact(|tx, root| root.log.append(tx, &[2; 1008])).expect("all of the ring");
        assert_eq!(region.root().log.used(), 1024);
        let full = region.transact(|tx, root| root.log.append(tx, b""));
        assert!(matches!(full, Err(Error::LogFull { needed: 16, used: 1024, capacity: 1024 })), "{full:?}");
        // From the back, and it is empty too.
        let truncate = region.transact(|tx, root| root.log.truncate_back(tx, 0));
        truncate.expect("committed");
        region.transact(|tx, root| root.log.append(tx, &[3; 1008])).expect("all of the ring");
        region
            .transact(|tx, root| {
                root.log.truncate_front(tx, u64::MAX);
                Ok(())
            })
            .expect("committed");
    }
}

/// The first record that was left began in the middle of the ring.
#[test]
fn a_log_that_is_emptied_from_the_back_has_room_for_a_record_as_long_as_its_ring() {
    let mut region = region();
    region.transact(|tx, root| root.log.append(tx, &[1; 100])).expect("room");
    region.transact(|tx, root| root.log.append(tx, b"second")).expect("room");
    region
        .transact(|tx, root| {
            root.log.truncate_front(tx, 2);
            Ok(())
        })
        .expect("committed");
    region.transact(|tx, root| root.log.truncate_back(tx, 2)).expect("committed");
    assert_eq!((region.root().log.used(), region.root().log.len()), (0, 0));
    assert_eq!(region.transact(|tx, root| root.log.append(tx, &[3; 1008])).expect("all of the ring"), 2);
    assert_eq!(records(&region.root().log), [&[3; 1008][..]]);
}

#[test]
fn what_a_transaction_truncates_is_free_after_it() {
    let mut region = region();
    region.transact(|tx, root| root.log.append_all(tx, [&[1; 480][..]; 2])).expect("room");
    let append_too = |region: &mut Region<Root, Emulated>| {
        region.transact(|tx, root| {
            root.log.truncate_front(tx, u64::MAX);
            root.log.append(tx, &[2; 100])
        })
    };
    assert!(matches!(append_too(&mut region), Err(Error::LogFull { .. })));
    assert_eq!(region.root().log.len(), 2);
    region
        .transact(|tx, root| {
            root.log.truncate_front(tx, u64::MAX);
            Ok(())
        })
        .expect("committed");
    assert_eq!(append_too(&mut region).expect("room"), 3);
}

#[test]
fn a_log_that_its_transaction_changed_is_not_resized() {
    for change in ["append", "truncate_front", "truncate_back"] {
        let mut region = region();
        region.transact(|tx, root| root.log.append_all(tx, [&b"a"[..], b"b"])).expect("room");
        let result = catch_unwind(AssertUnwindSafe(|| {
            region.transact(|tx, root| {
                match change {
                    "append" => drop(root.log.append(tx, b"c")?),
                    "truncate_front" => root.log.truncate_front(tx, 2),
                    _ => root.log.truncate_back(tx, 2)?,
                }
                // Another log is not meant.
                root.other.resize(tx, 2048)?;
                root.log.resize(tx, 2048)
            })
        }));
        let message = *result.expect_err(change).downcast::<String>().expect("a message");
        assert!(message.contains("a log is resized after"), "{change}: {message}");
        assert_eq!(records(&region.root().log), [b"a", b"b"], "{change}");
        assert_eq!(region.root().other.capacity(), 1024, "{change}");
    }
}
