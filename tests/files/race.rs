//! Another file takes the region's name between its opening and its locking.

use crate::child;
use crate::support::*;
use indelible::Error;
use indelible::medium::PageCache;
use rustix::fs::FlockOperation::NonBlockingLockExclusive;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// In the other process: puts one copy after another in the region's place, as a migration does: under the
/// old file's lock, and with the new one's.
pub fn exchange_for_ever(path: &Path) {
    let copy = path.with_extension("copy");
    child::begun();
    loop {
        let old = File::open(path).expect("the test's own");
        let is_there = || old.metadata().expect("open").ino() == path.metadata().expect("it is there").ino();
        if rustix::fs::flock(&old, NonBlockingLockExclusive).is_err() || !is_there() {
            continue;
        }
        let new = File::create(&copy).expect("room");
        rustix::fs::flock(&new, NonBlockingLockExclusive).expect("nobody else knows it");
        fs::copy(path, &copy).expect("room");
        fs::rename(&copy, path).expect("the test's own");
    }
}

/// A writer in a file that has lost its name loses everything.
#[test]
fn what_is_opened_is_what_the_name_led_to_under_the_lock() {
    let folder = Folder::new();
    let path = folder.join("x");
    old_bank(&path, 0);
    let other = child::begin("exchange", &path);
    let (mut opened, mut locked) = (0, 0);
    while opened < 60 && locked < 1_000_000 {
        match open::<old::Bank, PageCache>(&path) {
            Ok(mut bank) => {
                deposit(&mut bank, opened).expect("a good disk");
                bank.close().expect("a good disk");
                opened += 1;
            }
            Err(Error::Locked { .. }) => locked += 1,
            Err(error) => panic!("{error}"),
        }
    }
    other.kill();
    println!("{opened} opened, {locked} locked");
    assert!(opened > 0);
    assert_old::<PageCache>(&path, opened);
}
