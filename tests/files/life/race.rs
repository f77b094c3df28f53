//! Another file takes the region's name between its opening and its locking.

use crate::child;
use crate::support::*;
use indelible::Error;
use indelible::medium::Snapshot;
use indelible_test_support::process;
use rustix::fs::{CWD, FlockOperation, RenameFlags};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// In the other process: puts two regions in each other's place all the time, each time under both locks.
pub fn exchange_for_ever(path: &Path) {
    let other = path.with_extension("other");
    let files = [path, &other].map(|path| File::open(path).expect("the test's own"));
    let lock = |file: &File| rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive).is_ok();
    process::begun();
    loop {
        if lock(&files[0]) && lock(&files[1]) {
            rustix::fs::renameat_with(CWD, path, CWD, &other, RenameFlags::EXCHANGE).expect("both are there");
        }
        for file in &files {
            let _ = rustix::fs::flock(file, FlockOperation::Unlock);
        }
    }
}

/// The inode of the one region that this process has mapped from the folder.
fn mapped_inode(folder: &Folder) -> u64 {
    let name = folder.path().display().to_string();
    let maps = fs::read_to_string("/proc/self/maps").expect("procfs");
    let line = maps.lines().find(|line| line.contains(&name)).expect("a mapping");
    line.split_ascii_whitespace().nth(4).and_then(|inode| inode.parse().ok()).expect("proc_pid_maps(5)")
}

/// A writer in a file that has lost its name would lose everything.
#[test]
fn what_is_opened_is_what_the_name_led_to_under_the_lock() {
    let folder = Folder::new();
    let path = folder.join("x");
    old_bank(&path, 1);
    fs::copy(&path, path.with_extension("other")).expect("room");
    let other = child::begin("exchange", &path);
    let (mut opened, mut locked) = (0, 0);
    while opened < 500 && locked < 1_000_000 {
        match open::<old::Bank, Snapshot>(&path) {
            Ok(_bank) => {
                let named = path.metadata().expect("it is there").ino();
                assert_eq!(mapped_inode(&folder), named, "opened {opened} times before");
                opened += 1;
            }
            Err(Error::Locked { .. }) => locked += 1,
            Err(error) => panic!("{error}"),
        }
    }
    other.kill();
    println!("{opened} opened, {locked} locked");
    assert!(opened > 0);
}
