//! Files and folders that this user may not use or not change.

use crate::child;
use crate::state::State;
use crate::support::*;
use indelible::Error;
use indelible::medium::{Auto, PageCache, Snapshot};

/// Root may everything, and so the attempts are made by somebody else.
#[test]
fn what_the_user_may_not_use_is_refused() {
    let folder = Folder::public();
    bank(&folder.join("shared"));
    folder.set_mode("shared", 0o666);
    for (name, mode) in [("secret", 0o000), ("read-only", 0o444), ("write-only", 0o222)] {
        bank(&folder.join(name));
        folder.set_mode(name, mode);
    }
    for (name, mode) in [("closed", 0o555), ("barred", 0o000)] {
        let path = folder.join(name);
        std::fs::create_dir(&path).expect("the test's own");
        bank(&path.join("x"));
        folder.set_mode(name, mode);
    }
    let shared = std::fs::read(folder.join("shared")).expect("the test's own");
    let before = State::of(folder.path());
    match child::is_root() {
        true => child::run_as(child::NOBODY, "open without permission", &folder),
        false => as_nobody(&folder),
    }
    // The one that was to be opened, to show that it was not the way there that was barred.
    std::fs::write(folder.join("shared"), shared).expect("the test's own");
    State::of(folder.path()).assert_same(&before, "without permission");
    for name in ["closed", "barred"] {
        folder.set_mode(name, 0o755);
    }
}

pub fn as_nobody(folder: &Folder) {
    let theirs = options().allow_world_writable().allow_other_owner();
    // SAFETY: the file is the test's own, and tests run one at a time.
    let shared = unsafe { theirs.open::<Bank, PageCache>(folder.join("shared")) };
    assert!(shared.is_ok(), "what may be used can be opened");
    drop(shared);
    let advice = "a region needs read and write access";
    for (case, name) in [
        ("access: a file without any", "secret"),
        ("access: a file that may only be read", "read-only"),
        ("access: a file that may only be written", "write-only"),
        ("access: a file in a folder that may not be entered", "barred/x"),
    ] {
        let path = folder.join(name);
        let error = refused_to_open::<Bank>(folder, case, advice, &path);
        assert_error!(error, Error::PermissionDenied { path: named } if named == path);
    }
    // SAFETY: as above.
    let snapshot = unsafe { theirs.open::<Bank, Snapshot>(folder.join("read-only")) };
    assert!(snapshot.is_ok(), "a snapshot only reads");
    drop(snapshot);
    for (case, name) in [
        ("access: create in a folder that may not be written", "closed"),
        ("access: create in a folder that may not be entered", "barred"),
    ] {
        let path = folder.join(name).join("new");
        let error = refused(folder, case, advice, || create::<Auto>(&path, LEN));
        assert_error!(error, Error::PermissionDenied { path: named } if named == folder.join(name));
        let error = refused(folder, case, advice, || create::<PageCache>(&path, LEN));
        assert_error!(error, Error::PermissionDenied { path: named } if named == folder.join(name));
    }
    let path = folder.join("closed/new");
    let case = "access: create in a folder that may not be written";
    let error = refused(folder, case, advice, || open_or_create::<_, PageCache>(&path, empty_bank));
    assert_error!(error, Error::PermissionDenied { .. });
}

#[test]
fn a_read_only_file_system_is_named() {
    let folder = Folder::new();
    bank(&folder.join("x"));
    let line = format!("F=${}; mount --bind \"$F\" \"$F\" && mount -o remount,bind,ro \"$F\"", child::FOLDER);
    child::run_if_possible("a read-only mount", &line, "open on a read-only file system", &folder);
    assert_good(&folder.join("x"));
}

pub fn read_only(folder: &Folder) {
    let (path, new) = (folder.join("x"), folder.join("new"));
    let case = "access: a read-only file system";
    let advice = "a region needs one that can be written";
    let error = refused_to_open::<Bank>(folder, case, advice, &path);
    assert_error!(error, Error::ReadOnly { path: named } if named == path);
    let snapshot = open::<Bank, Snapshot>(&path).expect("a snapshot only reads");
    assert_eq!(snapshot.root().count.get(), 3);
    drop(snapshot);
    let case = "access: create on a read-only file system";
    let error = refused(folder, case, advice, || create::<Auto>(&new, LEN));
    assert_error!(error, Error::ReadOnly { .. });
    let error = refused(folder, case, advice, || create::<PageCache>(&new, LEN));
    assert_error!(error, Error::ReadOnly { .. });
    let error = refused(folder, case, advice, || open_or_create::<_, PageCache>(&new, empty_bank));
    assert_error!(error, Error::ReadOnly { path: named } if named == folder.path());
}

#[test]
fn a_file_that_everybody_may_write_to_is_refused_unless_allowed() {
    let folder = Folder::new();
    let path = folder.join("x");
    bank(&path);
    for (case, mode) in [("access: mode 602", 0o602), ("access: mode 666", 0o666)] {
        folder.set_mode("x", mode);
        let error = refused_to_open::<Bank>(&folder, case, "chmod o-w", &path);
        assert_error!(error, Error::WorldWritable { mode: found, .. } if found == mode);
        refused(&folder, case, "chmod o-w", || open::<Bank, Snapshot>(&path));
        // SAFETY: the file is the test's own, and tests run one at a time.
        drop(unsafe { options().allow_world_writable().open::<Bank, PageCache>(&path) }.expect("allowed"));
    }
    for mode in [0o600, 0o660, 0o664] {
        folder.set_mode("x", mode);
        assert_good(&path);
    }
}

#[test]
fn another_users_file_is_refused_unless_allowed() {
    let folder = Folder::new();
    let path = folder.join("x");
    bank(&path);
    if !child::is_root() {
        return note("not run, another user's file: only root can give files away");
    }
    std::os::unix::fs::chown(&path, Some(child::NOBODY), None).expect("root can");
    let (case, advice) = ("access: another user's file", "copy it to a file of your own");
    let error = refused_to_open::<Bank>(&folder, case, advice, &path);
    assert_error!(error, Error::OtherOwner { owner: child::NOBODY, user: 0, .. });
    refused(&folder, case, advice, || open::<Bank, Snapshot>(&path));
    // SAFETY: the file is the test's own, and tests run one at a time.
    drop(unsafe { options().allow_other_owner().open::<Bank, PageCache>(&path) }.expect("allowed"));
}
