//! Migrations that can't be, and what snapshots refuse.

use crate::support::*;
use indelible::medium::{Auto, FileMedium, PageCache, Snapshot, Writable};
use indelible::{Error, Options, Persistent, Region, Result, Word};
use std::path::Path;

#[derive(Persistent)]
#[repr(C)]
struct Summary {
    count: Word<u64>,
}

fn migrate<M: FileMedium + Writable>(options: &Options, path: &Path) -> Result<Region<Summary, M>> {
    let root = |old: &Bank| Summary { count: Word::new(old.count.get()) };
    // SAFETY: the file is the test's own, and tests run one at a time.
    unsafe { options.migrate(path, LEN, root, |_, _| Ok(())) }
}

/// [`refused`], by both media.
#[track_caller]
fn refused_to_migrate(folder: &Folder, case: &str, advice: &str, options: &Options, path: &Path) -> Error {
    refused(folder, case, advice, || migrate::<Auto>(options, path));
    refused(folder, case, advice, || migrate::<PageCache>(options, path))
}

#[test]
fn types_that_look_the_same_are_refused() {
    let folder = Folder::new();
    let path = folder.join("x");
    bank(&path);
    let error =
        refused(&folder, "migrate: types that look the same", "give the new root type another name", || {
            let root = |_: &Bank| empty_bank();
            // SAFETY: as in `migrate`.
            unsafe { options().migrate::<_, _, PageCache>(&path, LEN, root, |_, _| Ok(())) }
        });
    assert_error!(error, Error::SameSchema { path: named } if named == path);
    assert_good(&path);
}

#[test]
fn the_old_file_is_kept_where_it_can_be_only() {
    let folder = Folder::new();
    let path = folder.join("x");
    bank(&path);
    let case = "migrate: the old file's new name is taken";
    let keep = |name: &str| options().keep_old(folder.join(name));
    folder.file("kept", b"wanted");
    let error = refused_to_migrate(&folder, case, "remove it first", &keep("kept"), &path);
    assert_error!(error, Error::Exists { path: named } if named == folder.join("kept"));
    let case = "migrate: the old file's new folder is missing";
    let error = refused_to_migrate(&folder, case, "make the folder first", &keep("missing/x"), &path);
    assert_error!(error, Error::NoFolder { path: named } if named == folder.join("missing"));
    assert_good(&path);
}

#[test]
fn the_old_file_is_kept_on_its_own_file_system_only() {
    let elsewhere = tempfile::tempdir_in("/dev/shm");
    let folder = Folder::new();
    let path = folder.join("x");
    bank(&path);
    let Ok(elsewhere) = elsewhere else { return note("not run, another file system: there is no /dev/shm") };
    let case = "migrate: keep the old file on another file system";
    let options = options().keep_old(elsewhere.path().join("kept"));
    let error = refused_to_migrate(&folder, case, "move it later", &options, &path);
    assert_error!(error, Error::BadOption { option: "keep_old", .. });
    assert_good(&path);
}

#[test]
fn a_migration_and_a_snapshot_are_locked_out_like_others() {
    let folder = Folder::new();
    let path = folder.join("x");
    bank(&path);
    let writer = open::<Bank, PageCache>(&path).expect("good");
    let case = "lock: open in this process";
    let advice = "close it there first";
    assert_error!(refused_to_migrate(&folder, case, advice, &options(), &path), Error::Locked { .. });
    let error = refused(&folder, case, advice, || open::<Bank, Snapshot>(&path));
    assert_error!(error, Error::Locked { .. });
    drop(writer);
    let reader = open::<Bank, Snapshot>(&path).expect("good");
    refused_to_open::<Bank>(&folder, case, advice, &path);
    assert_error!(refused_to_migrate(&folder, case, advice, &options(), &path), Error::Locked { .. });
    drop(reader);
    assert_good(&path);
}

#[test]
fn a_migration_on_a_full_disk_leaves_the_old_region() {
    let folder = Folder::new();
    let path = folder.join("x");
    bank(&path);
    let case = "migrate: more than the disk has";
    let root = |_: &Bank| -> Summary { panic!("there is no room for it") };
    let error = refused(&folder, case, "make room on the file system", || {
        // SAFETY: as in `migrate`.
        unsafe { options().migrate::<_, _, PageCache>(&path, 1 << 39, root, |_, _| Ok(())) }
    });
    assert_error!(error, Error::DiskFull { .. });
    assert_good(&path);
}
