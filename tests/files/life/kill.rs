//! A migration that is killed leaves the old region or the new one, whole, and nothing in the next one's way.

use crate::child;
use crate::support::*;
use indelible::Error;
use indelible::medium::{PageCache, Snapshot};
use indelible_test_support::process;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

const ACCOUNTS: u64 = 12;

/// In the other process: says when it has read the old region, and goes on when it is told to, or is killed.
pub fn migrate_in_a_child(path: &Path) {
    let root = |old: &old::Bank| {
        process::begun();
        process::wait_for_the_end();
        new_root(old)
    };
    let bank = migrate_with(&options(), path, LEN, root, fill::<PageCache>).expect("room");
    bank.close().expect("a good disk");
}

fn inode(path: &Path) -> Option<u64> {
    path.metadata().map(|metadata| metadata.ino()).ok()
}

#[test]
fn killed_anywhere_it_leaves_the_old_region_or_the_new_one() {
    let folder = Folder::new();
    let path = folder.join("x");
    let create = || {
        let _ = std::fs::remove_file(&path);
        old_bank(&path, ACCOUNTS);
    };
    create();
    let other = child::begin("migrate", &path);
    let start = Instant::now();
    assert!(other.end());
    let whole = start.elapsed();

    let (mut old, mut new, mut hidden) = (0, 0, 0);
    for round in 0..40_u32 {
        create();
        let before = inode(&path);
        let mut other = child::begin("migrate", &path);
        // Evenly over the time that it takes; and when it is seen to put the new file into its place.
        let moment = Instant::now() + whole.min(Duration::from_secs(2)) * (round / 2) / 18;
        let watched = round % 2 == 1;
        drop(other.child.stdin.take());
        while if watched {
            inode(&path) == before && folder.names().len() == 1
        } else {
            Instant::now() < moment
        } {
            std::thread::yield_now();
        }
        (0..round * 300).for_each(|turn| {
            std::hint::black_box(turn);
        });
        other.kill();
        hidden += folder.names().len() - 1;
        match open::<old::Bank, Snapshot>(&path) {
            Ok(_) => {
                assert_old::<Snapshot>(&path, ACCOUNTS);
                old += 1;
            }
            Err(Error::SchemaMismatch { .. }) => {
                assert_new::<Snapshot>(&path, ACCOUNTS);
                new += 1;
            }
            Err(error) => panic!("round {round}: {error}"),
        }
        check_new(&migrate::<PageCache>(&options(), &path).expect("nothing is in the way"), ACCOUNTS);
        assert_eq!(folder.names(), ["x"]);
    }
    println!("killed {} times: {old} old, {new} new, {hidden} hidden names left and removed", old + new);
    assert!(old > 0, "round 0 is killed before it goes on");
}
