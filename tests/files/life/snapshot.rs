//! A snapshot shows a region as its next writer will find it, and changes nothing.

use crate::support::*;
use indelible::medium::{Auto, PageCache, Snapshot};
use indelible::{Error, Region};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// All that must stay as it is; not the time of the last access, which any reader changes.
#[derive(PartialEq, Debug)]
struct Found {
    bytes: Vec<u8>,
    modified: (i64, i64),
    changed: (i64, i64),
    len: u64,
    blocks: u64,
    mode: u32,
}

fn look(path: &Path) -> Found {
    let bytes = fs::read(path).expect("the test's own");
    let metadata = fs::metadata(path).expect("the test's own");
    Found {
        bytes,
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        len: metadata.len(),
        blocks: metadata.blocks(),
        mode: metadata.mode(),
    }
}

/// Offsets of the words that have this value.
fn words_of(bytes: &[u8], value: u64) -> Vec<usize> {
    let words = bytes.chunks_exact(8).enumerate();
    words.filter(|(_, word)| **word == value.to_le_bytes()).map(|(index, _)| index * 8).collect()
}

/// A region as a power failure may leave it: a record is in the journal, and none of its words in place.
fn unclosed(path: &Path) -> (u64, i64) {
    let (count, total) = (0x1122_3344_5566_7788, 0x0102_0304_0506_0708);
    let source = path.with_extension("source");
    old_bank(&source, 5);
    let mut bank: Region<Bank, PageCache> = migrate(&options(), &source).expect("a good region");
    let before = fs::read(&source).expect("the test's own");
    bank.transact(|tx, root| {
        tx.store(&root.count, count);
        tx.store(&root.total, total);
        Ok(())
    })
    .expect("a good disk");
    let mut after = fs::read(&source).expect("the test's own");
    for value in [count, total as u64] {
        let found = words_of(&after, value);
        let [_, in_the_root] = found[..] else { panic!("in a record and in the root: {found:x?}") };
        after[in_the_root..in_the_root + 8].copy_from_slice(&before[in_the_root..in_the_root + 8]);
    }
    bank.close().expect("a good disk");
    fs::remove_file(&source).expect("the test's own");
    fs::write(path, after).expect("room on the disk");
    fs::set_permissions(path, PermissionsExt::from_mode(0o400)).expect("the test's own");
    (count, total)
}

#[test]
fn an_unclosed_region_reads_as_recovered_and_its_file_stays_as_it_is() {
    let folder = Folder::new();
    let path = folder.join("x");
    let (count, total) = unclosed(&path);
    let before = look(&path);

    let snapshot = open::<Bank, Snapshot>(&path).expect("a good region");
    assert!(snapshot.was_recovered());
    assert_eq!((snapshot.root().count.get(), snapshot.root().total.get()), (count, total));
    assert_eq!(snapshot.usage().expect("a good region").objects, 11);
    assert_eq!(look(&path), before, "while it is open");
    snapshot.close().expect("nothing to write");
    assert_eq!(look(&path), before, "when it is closed");
    drop(open::<Bank, Snapshot>(&path).expect("a good region"));
    assert_eq!(look(&path), before, "when it is dropped");
    assert_eq!(folder.names(), ["x"]);

    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("the test's own");
    let writer = open::<Bank, PageCache>(&path).expect("a good region");
    assert!(writer.was_recovered(), "the writer has to recover it still");
    assert_eq!((writer.root().count.get(), writer.root().total.get()), (count, total));
    assert_ne!(look(&path).bytes, before.bytes);
}

#[test]
fn a_sparse_copy_keeps_its_holes() {
    let folder = Folder::new();
    let (full, path) = (folder.join("full"), folder.join("sparse"));
    old_bank(&full, 5);
    let bytes = fs::read(&full).expect("the test's own");
    let sparse = fs::File::create(&path).expect("room");
    sparse.set_len(bytes.len() as u64).expect("room");
    for (index, page) in bytes.chunks(4096).enumerate().filter(|(_, page)| page.iter().any(|&b| b != 0)) {
        std::os::unix::fs::FileExt::write_all_at(&sparse, page, index as u64 * 4096).expect("room");
    }
    sparse.sync_all().expect("a good disk");
    let before = look(&path);
    assert_old::<Snapshot>(&path, 5);
    assert_eq!(look(&path), before);
    if before.blocks < look(&full).blocks {
        assert_old::<PageCache>(&path, 5);
        assert!(look(&path).blocks > before.blocks, "a writer fills the holes");
    }
}

#[test]
fn many_may_read_and_none_beside_a_writer() {
    let folder = Folder::new();
    let path = folder.join("x");
    old_bank(&path, 3);
    let one = open::<old::Bank, Snapshot>(&path).expect("a good region");
    let two = open::<old::Bank, Snapshot>(&path).expect("a shared lock");
    assert_eq!((one.root().count.get(), two.root().count.get()), (3, 3));
    assert_error!(open::<old::Bank, PageCache>(&path), Error::Locked { .. });
    drop(one);
    assert_error!(open::<old::Bank, Auto>(&path), Error::Locked { .. });
    drop(two);
    let writer = open::<old::Bank, PageCache>(&path).expect("nobody has it");
    assert_error!(open::<old::Bank, Snapshot>(&path), Error::Locked { .. });
    drop(writer);
    assert_old::<Snapshot>(&path, 3);
}

#[test]
fn a_damaged_region_is_refused_as_by_any_medium() {
    let folder = Folder::new();
    let path = folder.join("x");
    old_bank(&path, 3);
    let mut bytes = fs::read(&path).expect("the test's own");
    bytes[24] ^= 1;
    fs::write(&path, &bytes).expect("the test's own");
    assert_error!(open::<old::Bank, Snapshot>(&path), Error::Damaged { .. });
    fs::write(&path, &bytes[..100]).expect("the test's own");
    assert_error!(open::<old::Bank, Snapshot>(&path), Error::Truncated { .. });
    assert_error!(open::<old::Bank, Snapshot>(&folder.join("y")), Error::NotFound { .. });
    assert_eq!(folder.names(), ["x"]);
}
