//! A region that is open already: here, or in another process.

use crate::child;
use crate::support::*;
use indelible::Error;
use indelible::medium::{Auto, PageCache};
use indelible_test_support::process;

/// In the other process: the region is open until standard input ends.
pub fn hold(folder: &Folder) {
    let bank = open::<Bank, PageCache>(&folder.join("x")).expect("nobody has it open");
    process::begun();
    process::wait_for_the_end();
    drop(bank);
}

#[test]
fn a_region_that_this_process_has_open_is_locked() {
    let folder = Folder::new();
    let path = folder.join("x");
    bank(&path);
    let first = open::<Bank, PageCache>(&path).expect("good");
    let error = refused_to_open::<Bank>(&folder, "lock: open in this process", "close it there first", &path);
    assert_error!(error, Error::Locked { path: named } if named == path);
    drop(first);
    assert_good(&path);
}

#[test]
fn a_new_region_is_locked_from_its_first_moment() {
    let folder = Folder::new();
    let path = folder.join("x");
    let first = create::<Auto>(&path, LEN).expect("room");
    let error = refused_to_open::<Bank>(&folder, "lock: just created", "close it there first", &path);
    assert_error!(error, Error::Locked { .. });
    first.close().expect("a good disk");
    assert!(open::<Bank, Auto>(&path).is_ok());
}

#[test]
fn a_region_that_another_process_has_open_is_locked() {
    let folder = Folder::new();
    let path = folder.join("x");
    bank(&path);
    let other = child::begin("hold the lock", &folder);
    let case = "lock: open in another process";
    let error = refused_to_open::<Bank>(&folder, case, "close it there first", &path);
    assert_error!(error, Error::Locked { path: named } if named == path);
    assert!(other.end(), "the other process has failed");
    assert_good(&path);
}

#[test]
fn a_process_that_was_killed_holds_no_lock() {
    let folder = Folder::new();
    let path = folder.join("x");
    bank(&path);
    child::begin("hold the lock", &folder).kill();
    let bank = open::<Bank, PageCache>(&path).expect("the lock went with the process");
    assert!(bank.was_recovered());
    drop(bank);
    assert_good(&path);
}
