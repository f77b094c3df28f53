//! From one root type to another: contents are carried over, and whatever goes wrong leaves the old region.

use crate::child;
use crate::support::*;
use indelible::medium::{Auto, PageCache, Snapshot};
use indelible::{Error, Region};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn everything_is_carried_over_and_the_new_region_is_open() {
    let folder = Folder::new();
    let path = folder.join("x");
    old_bank(&path, 2000);
    let mut bank: Region<Bank, Auto> = migrate(&options(), &path).expect("room");
    check_new(&bank, 2000);
    assert!(bank.len() > LEN, "it has grown");
    assert_error!(open::<Bank, Auto>(&path), Error::Locked { .. });
    bank.transact(|tx, root| {
        tx.store(&root.count, 7);
        Ok(())
    })
    .expect("a good disk");
    bank.close().expect("a good disk");
    assert_eq!(open::<Bank, PageCache>(&path).expect("it is the file at this path").root().count.get(), 7);
    assert_eq!(folder.names(), ["x"]);
}

#[test]
fn a_region_that_has_the_new_types_is_only_opened() {
    let folder = Folder::new();
    let path = folder.join("x");
    old_bank(&path, 3);
    drop(migrate::<PageCache>(&options(), &path).expect("room"));
    let inode = fs::metadata(&path).expect("it is there").ino();
    let never = |_: &old::Bank| -> Bank { panic!("nothing is to be made") };
    let bank = migrate_with(&options().keep_old(folder.join("kept")), &path, LEN, never, fill::<PageCache>);
    check_new(&bank.expect("it opens"), 3);
    assert_eq!(fs::metadata(&path).expect("it is there").ino(), inode);
    assert_eq!(folder.names(), ["x"]);
}

#[test]
fn an_error_and_a_panic_leave_the_old_region_and_nothing_else() {
    let folder = Folder::new();
    let path = folder.join("x");
    old_bank(&path, 3);
    let before = (fs::read(&path).expect("ours"), fs::metadata(&path).expect("ours").ino());
    let check = |what: &str| {
        assert_eq!(folder.names(), ["x"], "{what}");
        let now = (fs::read(&path).expect("ours"), fs::metadata(&path).expect("ours").ino());
        assert!(now == before, "{what}: the file has changed");
        assert_old::<Snapshot>(&path, 3);
    };
    let options = options().keep_old(folder.join("kept"));

    let half = |old: &old::Bank, new: &mut Region<Bank, PageCache>| {
        fill(old, new)?;
        Err(Error::other("enough"))
    };
    let result = migrate_with(&options, &path, LEN, new_root, half);
    assert_error!(result, Error::Other(_));
    check("an error");

    let half = |old: &old::Bank, new: &mut Region<Bank, PageCache>| {
        fill(old, new)?;
        panic!("in the closure")
    };
    let panics = || migrate_with(&options, &path, LEN, new_root, half).map(drop);
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    check("a panic");

    let panics = || {
        let root = |_: &old::Bank| -> Bank { panic!("in the root") };
        migrate_with(&options, &path, LEN, root, fill::<PageCache>).map(drop)
    };
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    check("a panic in the root");

    let result = migrate_with(&options, &path, 8, new_root, fill::<PageCache>);
    assert_error!(result, Error::TooSmall { .. });
    check("too small");

    let other = |_: &old::Bank, new: &mut Region<Bank, PageCache>| {
        let elsewhere = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("room");
        let y = elsewhere.path().join("y");
        old_bank(&y, 0);
        let mut other: Region<Bank, PageCache> = migrate(&crate::support::options(), &y)?;
        std::mem::swap(new, &mut other);
        Ok(())
    };
    let swaps = || migrate_with(&options, &path, LEN, new_root, other).map(drop);
    assert!(catch_unwind(AssertUnwindSafe(swaps)).is_err());
    check("another region");

    assert_eq!(fs::metadata(&path).expect("ours").nlink(), 1);
}

#[test]
fn the_old_file_is_kept_where_asked_and_never_in_anothers_place() {
    let folder = Folder::new();
    let (path, kept) = (folder.join("x"), folder.join("kept"));
    old_bank(&path, 3);
    let options = options().keep_old(&kept);
    fs::write(&kept, "wanted").expect("ours");
    assert_error!(migrate::<PageCache>(&options, &path), Error::Exists { path } if path == kept);
    assert_eq!(fs::read(&kept).expect("ours"), b"wanted");
    assert_old::<Snapshot>(&path, 3);
    fs::remove_file(&kept).expect("ours");

    symlink("nowhere", &kept).expect("ours");
    assert_error!(migrate::<PageCache>(&options, &path), Error::DanglingSymlink { .. });
    fs::remove_file(&kept).expect("ours");

    let same = options.clone().keep_old(folder.join("./x"));
    assert_error!(migrate::<PageCache>(&same, &path), Error::Exists { .. });
    let missing = options.clone().keep_old(folder.join("missing/kept"));
    assert_error!(migrate::<PageCache>(&missing, &path), Error::NoFolder { .. });
    assert_old::<Snapshot>(&path, 3);

    // A process was killed when the old file had its second name already.
    fs::hard_link(&path, &kept).expect("ours");
    assert_error!(migrate::<PageCache>(&same, &path), Error::Exists { .. });
    check_new(&migrate::<PageCache>(&options, &path).expect("it is kept there already"), 3);
    assert_old::<PageCache>(&kept, 3);
    assert_new::<PageCache>(&path, 3);
    assert_eq!(folder.names(), ["kept", "x"]);

    let path = folder.join("y");
    old_bank(&path, 4);
    drop(migrate::<PageCache>(&options.keep_old(folder.join("old y")), &path).expect("room"));
    assert_old::<PageCache>(&folder.join("old y"), 4);
    assert_new::<PageCache>(&path, 4);
    assert_eq!(folder.names(), ["kept", "old y", "x", "y"]);
}

#[test]
fn mode_owner_and_group_are_carried_over_and_a_symbolic_link_stays() {
    let folder = Folder::new();
    let (path, link, hard) = (folder.join("x"), folder.join("link"), folder.join("hard"));
    old_bank(&path, 3);
    fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).expect("ours");
    // Only root can give files away.
    let group = if std::os::unix::fs::chown(&path, None, Some(4242)).is_ok() { 4242 } else { gid(&path) };
    symlink("x", &link).expect("ours");
    fs::hard_link(&path, &hard).expect("ours");
    let bank = migrate::<PageCache>(&options(), &link).expect("room");
    assert_error!(open::<Bank, PageCache>(&path), Error::Locked { .. });
    drop(bank);
    assert!(link.is_symlink());
    assert_eq!(fs::metadata(&path).expect("ours").mode() & 0o7777, 0o640);
    assert_eq!(gid(&path), group);
    assert_new::<PageCache>(&path, 3);
    assert_old::<PageCache>(&hard, 3);
    assert_eq!(folder.names(), ["hard", "link", "x"]);
}

fn gid(path: &std::path::Path) -> u32 {
    fs::metadata(path).expect("ours").gid()
}

#[test]
fn hidden_names_that_nobody_uses_are_removed_and_others_are_not() {
    let folder = Folder::new();
    let path = folder.join("x");
    old_bank(&path, 3);
    let stale = folder.join(".x.0123456789abcdef.new");
    fs::write(&stale, "half").expect("ours");
    fs::hard_link(&path, folder.join(".x.00000000000000ff.new")).expect("ours");
    let used = folder.join(".x.1111111111111111.new");
    old_bank(&used, 1);
    let in_use = open::<old::Bank, PageCache>(&used).expect("a good region");
    let others =
        [".x.123.new", ".x.0123456789abcdeF.new", ".x.y.0123456789abcdef.new", ".y.0123456789abcdef.new"];
    for name in others {
        fs::write(folder.join(name), "another's").expect("ours");
    }
    drop(migrate::<PageCache>(&options(), &path).expect("room"));
    assert_new::<PageCache>(&path, 3);
    let mut left: Vec<&str> = [&others[..], &["x", ".x.1111111111111111.new"]].concat();
    left.sort_unstable();
    assert_eq!(folder.names(), left);
    drop(in_use);
}

#[test]
fn who_has_the_region_open_keeps_a_migration_out() {
    let folder = Folder::new();
    let path = folder.join("x");
    old_bank(&path, 3);
    let writer = open::<old::Bank, PageCache>(&path).expect("a good region");
    assert_error!(migrate::<PageCache>(&options(), &path), Error::Locked { .. });
    drop(writer);
    let reader = open::<old::Bank, Snapshot>(&path).expect("a good region");
    assert_error!(migrate::<PageCache>(&options(), &path), Error::Locked { .. });
    drop(reader);
    assert_old::<PageCache>(&path, 3);
}

#[test]
fn of_two_migrations_at_once_one_is_locked_out_and_loses_nothing() {
    let folder = Folder::new();
    let path = folder.join("x");
    old_bank(&path, 3);
    let other = child::begin("migrate", &path);
    // It is in the middle of its work, and waits there.
    assert_error!(migrate::<PageCache>(&options(), &path), Error::Locked { .. });
    assert_error!(open::<old::Bank, Snapshot>(&path), Error::Locked { .. });
    assert!(other.end());
    check_new(&migrate::<PageCache>(&options(), &path).expect("it opens what the other one made"), 3);
    assert_eq!(folder.names(), ["x"]);
}

#[test]
fn types_that_look_the_same_and_others_than_the_old_ones_are_refused() {
    let folder = Folder::new();
    let path = folder.join("x");
    old_bank(&path, 3);
    let same = |old: &old::Bank| old::Bank {
        accounts: indelible::Link::null(),
        count: indelible::Word::new(0),
        founded: old.founded,
    };
    let result = migrate_with::<_, _, PageCache>(&options(), &path, LEN, same, |_, _| Ok(()));
    assert_error!(result, Error::SameSchema { path: named } if named == path);
    let another = |_: &Account| -> Bank { panic!("nothing is to be made") };
    let result = migrate_with::<_, _, PageCache>(&options(), &path, LEN, another, |_, _| Ok(()));
    assert_error!(result, Error::SchemaMismatch { .. });
    assert_old::<PageCache>(&path, 3);
    assert_eq!(folder.names(), ["x"]);
}

#[test]
fn an_unclosed_region_is_migrated_with_all_that_was_committed() {
    let folder = Folder::new();
    let (path, copy) = (folder.join("x"), folder.join("copy"));
    let mut bank = create_old(&path);
    for id in 0..5 {
        deposit(&mut bank, id).expect("a good disk");
        fs::copy(&path, &copy).expect("room");
        check_new(&migrate::<PageCache>(&options(), &copy).expect("room"), id + 1);
    }
}

#[test]
fn what_a_killed_migration_left_is_removed_when_the_new_region_is_opened() {
    let folder = Folder::new();
    let path = folder.join("x");
    old_bank(&path, 3);
    fs::copy(&path, folder.join(".x.0123456789abcdef.new")).expect("room");
    drop(migrate::<PageCache>(&options(), &path).expect("room"));
    old_bank(&folder.join(".x.0123456789abcdef.new"), 3);
    check_new(&migrate::<PageCache>(&options(), &path).expect("it is new already"), 3);
    assert_eq!(folder.names(), ["x"]);
}
