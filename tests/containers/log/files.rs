//! Logs in files: read as a snapshot, taken over by a migration, and in a region that grows.

use indelible::collections::Log;
use indelible::medium::{MemoryFileSystem, PageCache, Snapshot};
use indelible::{Error, Link, Options, Persistent, Region, Result, Word};
use std::path::Path;

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    log: Log,
    word: Word<u64>,
}

fn options() -> Options {
    Options::new().max_len(8 << 20).allow_memory_file_system(MemoryFileSystem::Tmpfs)
}

fn create(path: &Path, capacity: u64) -> Region<Root, PageCache> {
    // SAFETY: the file is the test's own.
    let mut region: Region<Root, PageCache> =
        unsafe { options().create(path, 128 << 10, Root::default()) }.expect("room");
    region.transact(|tx, root| root.log.create(tx, capacity)).expect("room");
    region
}

fn open<R: Persistent>(path: &Path) -> Result<Region<R, PageCache>> {
    // SAFETY: as above.
    unsafe { options().open(path) }
}

fn look(path: &Path) -> Region<Root, Snapshot> {
    // SAFETY: as above.
    unsafe { options().open(path) }.expect("a good region")
}

fn records(log: &Log) -> Vec<(u64, Vec<u8>)> {
    log.iter().map(|(seq, record)| (seq, record.to_vec())).collect()
}

/// Records of so many bytes, each with its number in it.
fn append(region: &mut Region<Root, PageCache>, count: u64, len: usize) {
    for _ in 0..count {
        region
            .transact(|tx, root| {
                let mut record = vec![0xab; len];
                record[..8].copy_from_slice(&root.log.next_seq().to_le_bytes());
                root.log.append(tx, &record)
            })
            .expect("room");
    }
}

/// As after a kill: the file as it is while the region is open.
fn copy(path: &Path) -> std::path::PathBuf {
    let copy = path.with_extension("copy");
    std::fs::copy(path, &copy).expect("room on the disk");
    copy
}

/// Changes the last byte of these in a file.
fn damage(path: &Path, bytes: &[u8]) {
    let mut file = std::fs::read(path).expect("the test's own");
    let at = file.windows(bytes.len()).rposition(|window| window == bytes).expect("it is there");
    file[at + bytes.len() - 1] ^= 1;
    std::fs::write(path, file).expect("the test's own");
}

#[test]
fn a_snapshot_shows_the_records_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut region = create(&folder.path().join("log"), 4096);
    append(&mut region, 3, 40);
    // Their checksum is in a record of the journal, and its words may be in place or not.
    region
        .transact(|tx, root| {
            tx.store(&root.word, 7);
            root.log.append_all(tx, [&b"with the word"[..], b"and another"])
        })
        .expect("room");
    let expected = records(&region.root().log);
    assert_eq!(expected.len(), 5);

    let path = copy(&folder.path().join("log"));
    let before = std::fs::read(&path).expect("the test's own");
    for _ in 0..2 {
        let snapshot = look(&path);
        assert!(snapshot.was_recovered());
        assert_eq!(records(&snapshot.root().log), expected);
        assert_eq!(snapshot.root().word.get(), 7);
        assert_eq!(snapshot.root().log.get(5), Some(&b"and another"[..]));
        snapshot.close().expect("nothing to write");
        assert_eq!(std::fs::read(&path).expect("the test's own"), before);
    }
    drop(region);
}

/// What is rejected is made invalid in the snapshot's own memory, so that another sees it the same.
#[test]
fn a_snapshot_of_a_torn_record_ends_before_it_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut region = create(&folder.path().join("log"), 4096);
    append(&mut region, 2, 40);
    region.transact(|tx, root| root.log.append(tx, b"the last one")).expect("room");
    let path = copy(&folder.path().join("log"));
    damage(&path, b"the last one");
    let before = std::fs::read(&path).expect("the test's own");
    for _ in 0..2 {
        let snapshot = look(&path);
        assert_eq!(records(&snapshot.root().log), records(&region.root().log)[..2]);
        drop(snapshot);
        assert_eq!(std::fs::read(&path).expect("the test's own"), before);
    }
    // A writer finds the same, and makes it invalid for good.
    let writer = open::<Root>(&path).expect("a good region");
    assert_eq!(writer.root().log.next_seq(), 3);
    drop(writer);
    assert_ne!(std::fs::read(&path).expect("the test's own"), before);
    drop(region);
}

/// The next version: a name, and two logs.
#[derive(Persistent)]
#[repr(C)]
struct Next {
    log: Log,
    name: Link<str>,
    errors: Log,
    word: Word<u64>,
}

#[test]
fn a_migration_takes_over_records_and_their_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let mut region = create(&path, 4096);
    append(&mut region, 30, 40);
    region
        .transact(|tx, root| {
            root.log.truncate_front(tx, 11);
            Ok(())
        })
        .expect("committed");
    let expected = records(&region.root().log);
    assert_eq!((expected.len(), expected[0].0), (20, 11));
    region.close().expect("a good disk");

    let root = |old: &Root| Next {
        log: Log::new(),
        name: Link::null(),
        errors: Log::new(),
        word: Word::new(old.word.get()),
    };
    let fill = |old: &Root, new: &mut Region<Next, PageCache>| {
        new.transact(|tx, root| {
            let first = old.log.first_seq().unwrap_or(old.log.next_seq());
            root.log.create_from(tx, 8192, first)?;
            root.errors.create(tx, 64)?;
            assert_eq!(root.log.append_all(tx, old.log.iter().map(|(_, record)| record))?, first);
            root.errors.append(tx, b"none yet")?;
            Ok(())
        })
    };
    // SAFETY: the file is the test's own.
    let new: Region<Next, PageCache> =
        unsafe { options().migrate(&path, 256 << 10, root, fill) }.expect("a good region");
    assert_eq!(records(&new.root().log), expected);
    new.close().expect("a good disk");
    assert!(matches!(open::<Root>(&path), Err(Error::SchemaMismatch { .. })));
    let mut new = open::<Next>(&path).expect("a good region");
    assert_eq!(records(&new.root().log), expected);
    assert_eq!(records(&new.root().errors), [(1, b"none yet".to_vec())]);
    let seq = new.transact(|tx, root| root.log.append(tx, b"goes on")).expect("room");
    assert_eq!((seq, new.root().log.capacity()), (31, 8192));
}

/// Its first record was not the first of its frame.
#[test]
fn a_log_that_is_emptied_in_the_middle_of_a_batch_goes_on_with_its_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let mut region = create(&path, 1024);
    region.transact(|tx, root| root.log.append_all(tx, [&b"1"[..], b"2", b"3"])).expect("room");
    region
        .transact(|tx, root| {
            root.log.truncate_front(tx, 2);
            Ok(())
        })
        .expect("committed");
    region.transact(|tx, root| root.log.truncate_back(tx, 2)).expect("committed");
    for next in [2, 3] {
        region.close().expect("a good disk");
        region = open(&path).expect("what was committed can be opened");
        assert_eq!((region.root().log.next_seq(), region.root().log.len()), (next, next - 2));
        assert_eq!(region.transact(|tx, root| root.log.append(tx, b"new")).expect("room"), next);
    }
}

#[test]
fn a_log_grows_with_its_region_while_records_come() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let mut region = create(&path, 1024);
    let start = path.metadata().expect("it is there").len();
    let mut grown = 0;
    for _ in 0..4000 {
        let record = region.root().log.next_seq().to_le_bytes().repeat(9);
        match region.transact(|tx, root| root.log.append(tx, &record)) {
            Ok(_) => {}
            Err(Error::LogFull { capacity, .. }) => {
                region
                    .transact(|tx, root| {
                        root.log.resize(tx, capacity * 2)?;
                        root.log.append(tx, &record)
                    })
                    .expect("room");
                grown += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(grown >= 8, "{grown}");
    assert!(path.metadata().expect("it is there").len() > start, "the file grew");
    for reopened in [false, true] {
        if reopened {
            region.close().expect("a good disk");
            region = open(&path).expect("a good region");
        }
        let log = &region.root().log;
        assert_eq!((log.len(), log.first_seq(), log.next_seq()), (4000, Some(1), 4001));
        assert!(log.iter().all(|(seq, record)| record == seq.to_le_bytes().repeat(9)));
        // The old rings went back to the heap.
        let used = region.usage().expect("a good region");
        assert_eq!((used.objects, used.object_bytes < 2 * log.capacity()), (2, true));
    }

    // Further than the region may: it says so, and everything is as it was.
    let result = region.transact(|tx, root| root.log.resize(tx, 16 << 20));
    assert!(matches!(result, Err(Error::HeapFull { .. })), "{result:?}");
    assert_eq!(region.root().log.len(), 4000);
    append(&mut region, 1, 8);
    let region = {
        drop(region);
        open::<Root>(&path).expect("a good region")
    };
    assert_eq!(region.root().log.next_seq(), 4002);
}

#[derive(Persistent)]
#[repr(C)]
struct Server {
    term: u64,
    raft: Log,
}

/// Its ring moves over with the link to it, and so do the records of the same transaction.
#[test]
fn an_object_with_a_log_is_rewritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    // SAFETY: the file is the test's own.
    let mut region: Region<Link<Server>, PageCache> =
        unsafe { options().create(&path, 128 << 10, Link::null()) }.expect("room");
    region
        .transact(|tx, root| {
            let server = tx.persist(tx.alloc(Server { term: 1, raft: Log::new() })?)?;
            tx.publish(root, server);
            tx.get(root).expect("just published").raft.create_from(tx, 640, 100)
        })
        .expect("room");
    region.transact(|tx, root| root.get().expect("a server").raft.append(tx, b"first")).expect("room");
    region
        .transact(|tx, root| {
            tx.get(root).expect("a server").raft.append(tx, b"second")?;
            let mut server = tx.rewrite(tx.take(root).expect("a server"))?;
            *server.fields().term = 2;
            tx.publish(root, tx.persist(server)?);
            tx.get(root).expect("just published").raft.append(tx, b"third")?;
            Ok(())
        })
        .expect("room");
    for _ in 0..2 {
        let server = region.root().get().expect("a server");
        let expected = [(100, b"first".to_vec()), (101, b"second".to_vec()), (102, b"third".to_vec())];
        assert_eq!((server.term, records(&server.raft)), (2, expected.to_vec()));
        assert_eq!(region.usage().expect("a good region").objects, 3);
        region.close().expect("a good disk");
        region = open(&path).expect("a good region");
    }
}
