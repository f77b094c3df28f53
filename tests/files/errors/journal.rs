//! A journal with a record that a killed process left, and what can be wrong with it.

use crate::support::*;
use indelible::Error;
use indelible::medium::PageCache;
use indelible_test_support::image::Image;
use std::path::Path;

/// A simulated kill after a transaction that changed two words: the file as it was while the region was
/// open, and the words set back to what they were before the commit applied them. Answers also the record.
fn killed(folder: &Folder) -> (Image, usize) {
    let path = folder.join("open");
    bank(&path);
    let mut bank = open::<Bank, PageCache>(&path).expect("good");
    bank.transact(|tx, root| {
        tx.store(&root.count, 33);
        tx.store(&root.frozen, true);
        Ok(())
    })
    .expect("good");
    let mut image = Image::read(&path);
    drop(bank);
    std::fs::remove_file(&path).expect("the test's own");
    let record = image.outstanding();
    assert_eq!(image.word(record + 8), 2, "a record of two words");
    let root = image.root();
    image.set(root + 8, 3).set(root + 16, 0);
    (image, record)
}

#[track_caller]
fn opened(path: &Path) -> (u64, bool, bool) {
    let bank = open::<Bank, PageCache>(path).expect("it opens");
    (bank.root().count.get(), bank.root().frozen.get(), bank.was_recovered())
}

#[test]
fn an_outstanding_record_is_replayed_once() {
    let folder = Folder::new();
    let path = folder.join("x");
    let (image, record) = killed(&folder);
    image.write(&path);
    assert_eq!(opened(&path), (33, true, true));
    assert_eq!(opened(&path), (33, true, false));
    // A checksum that was computed here is believed: what is refused below is not refused for that.
    let mut other = image.clone();
    other.set(Image::entry(record, 0) + 8, 44).sign_record(record).write(&path);
    assert_eq!(opened(&path), (44, true, true));
}

#[test]
fn a_torn_record_was_never_committed() {
    let folder = Folder::new();
    let path = folder.join("x");
    let (image, record) = killed(&folder);
    for word in 1..7 {
        let mut torn = image.clone();
        torn.set(record + word * 8, 0).write(&path);
        assert_eq!(opened(&path), (3, false, true), "word {word}");
    }
    for count in [0, 9, u64::MAX] {
        let mut torn = image.clone();
        torn.set(record + 8, count);
        if count < 100 {
            torn.sign_record(record);
        }
        torn.write(&path);
        assert_eq!(opened(&path), (3, false, true), "a count of {count}");
    }
}

#[test]
fn a_record_may_change_links_and_words_of_reachable_objects_only() {
    let folder = Folder::new();
    let path = folder.join("x");
    let (image, record) = killed(&folder);
    let len = image.0.len();
    let account = image.follow(image.root());
    let name = image.follow(account + 24);
    for (case, target) in [
        ("journal: an entry for page 0", 8),
        ("journal: an entry for the schema", 4096),
        ("journal: an entry for RET", image.retired()),
        ("journal: an entry for the journal", image.slot(0)),
        ("journal: an entry for the root's header", image.root() - 16),
        ("journal: an entry for a plain field", image.root() + 24),
        ("journal: an entry for half a word", image.root() + 12),
        ("journal: an entry between root and heap", image.heap() - 8),
        ("journal: an entry for a block's header", account - 8),
        ("journal: an entry for a plain field of an object", account),
        ("journal: an entry for a text", name),
        ("journal: an entry for half a word of free memory", len - 12),
        ("journal: an entry for the end of the file", len),
        ("journal: an entry for nowhere", usize::MAX - 7),
    ] {
        let mut damaged = image.clone();
        damaged.set(Image::entry(record, 1), target as u64).sign_record(record).write(&path);
        let error = refused_to_open::<Bank>(&folder, case, "restore the file from a copy", &path);
        assert_error!(error, Error::Damaged { place, offset, .. } if place == "journal" && offset == record as u64);
    }
    // What a transaction freed after it had committed may be an entry's target still.
    let mut freed = image.clone();
    freed.set(Image::entry(record, 1), len as u64 - 8).sign_record(record).write(&path);
    assert_eq!(opened(&path), (33, false, true));
}

#[test]
fn a_record_may_not_make_what_open_would_refuse() {
    let folder = Folder::new();
    let path = folder.join("x");
    let (image, record) = killed(&folder);
    let accounts = image.root();
    let account = image.follow(accounts);
    let to = |slot: usize, target: usize| target.wrapping_sub(slot) as u64;
    for (case, slot, value, where_) in [
        ("journal: a bool that is neither", image.root() + 16, 2, "root.frozen"),
        ("journal: a link out of the file", accounts, to(accounts, 1 << 30), "root.accounts"),
        (
            "journal: a link to another type",
            accounts,
            to(accounts, image.follow(account + 24)),
            "root.accounts",
        ),
        ("journal: a second owner", account + 16, to(account + 16, account), "root.accounts.next"),
    ] {
        let mut damaged = image.clone();
        let entry = Image::entry(record, 1);
        damaged.set(entry, slot as u64).set(entry + 8, value).sign_record(record).write(&path);
        let error = refused_to_open::<Bank>(&folder, case, "restore the file from a copy", &path);
        assert_error!(error, Error::Damaged { place, .. } if place == where_);
    }
    image.write(&path);
    assert_eq!(opened(&path), (33, true, true));
}

/// Two records are outstanding, and the entries of each are looked at.
#[test]
fn both_records_are_checked() {
    let folder = Folder::new();
    let path = folder.join("x");
    let (image, record) = killed(&folder);
    let other = if record == image.slot(0) { image.slot(1) } else { image.slot(0) };
    let mut two = image.clone();
    // The next record: the same words again, with another value for one.
    for word in 0..7 {
        two.set(other + word * 8, image.word(record + word * 8));
    }
    two.set(other, image.word(record) + 1).set(Image::entry(other, 0) + 8, 44).sign_record(other);
    two.write(&path);
    assert_eq!(opened(&path), (44, true, true), "replayed in the order of their numbers");
    for (case, bad) in
        [("journal: the older record of two", record), ("journal: the newer record of two", other)]
    {
        let mut damaged = two.clone();
        damaged.set(Image::entry(bad, 1), image.root() as u64 - 16).sign_record(bad).write(&path);
        let error = refused_to_open::<Bank>(&folder, case, "restore the file from a copy", &path);
        assert_error!(error, Error::Damaged { place, offset, .. } if place == "journal" && offset == bad as u64);
    }
}

#[test]
fn numbers_that_no_region_reaches_are_damage() {
    let folder = Folder::new();
    let path = folder.join("x");
    let (image, record) = killed(&folder);
    for (case, at) in
        [("journal: RET out of range", image.retired()), ("journal: a record number out of range", record)]
    {
        let mut damaged = image.clone();
        damaged.set(at, u64::MAX).write(&path);
        let error = refused_to_open::<Bank>(&folder, case, "restore the file from a copy", &path);
        assert_error!(error, Error::Damaged { place, offset, .. } if place == "journal" && offset == at as u64);
    }
}
