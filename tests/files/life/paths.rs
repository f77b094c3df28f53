//! Each path is looked up once, before the caller's code runs: what that does to the working directory or to a
//! folder's name leads nowhere else.

use crate::child;
use crate::support::*;
use indelible::mapping::Mapping;
use indelible::medium::PageCache;
use indelible::{Link, Region, Result, Word};
use indelible_test_support::process;
use std::env::set_current_dir;
use std::fs;
use std::path::Path;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn old_root() -> old::Bank {
    old::Bank { accounts: Link::null(), count: Word::new(0), founded: 1472 }
}

/// In the other process, whose working directory is its own to change.
pub fn change_folders_in_a_child(folder: &Path) {
    let [one, two] = ["one", "two"].map(|name| folder.join(name));
    [&one, &two].into_iter().for_each(|folder| fs::create_dir(folder).unwrap());
    let leave = || set_current_dir("../two").unwrap();

    set_current_dir(&one).unwrap();
    old_bank(Path::new("db"), 3);
    let moved = |old: &old::Bank, new: &mut Region<Bank, PageCache>| {
        leave();
        fill(old, new)
    };
    drop(migrate_with(&options().keep_old("db.old"), Path::new("db"), LEN, new_root, moved).expect("room"));
    assert_eq!((names(&one), names(&two)), (vec!["db".to_string(), "db.old".to_string()], vec![]));
    assert_new::<PageCache>(&one.join("db"), 3);
    assert_old::<PageCache>(&one.join("db.old"), 3);

    set_current_dir(&one).unwrap();
    let first = |_: &mut Mapping<PageCache>| -> Result<()> {
        leave();
        Ok(())
    };
    // SAFETY: the file is in a folder of the test's own.
    drop(unsafe { options().create_mapping("raw", 8192, first) }.expect("room"));

    set_current_dir(&one).unwrap();
    let root = || {
        leave();
        old_root()
    };
    // SAFETY: as above.
    drop(unsafe { options().open_or_create::<_, PageCache>("made", LEN, root) }.expect("room"));
    assert_eq!(
        (names(&one), names(&two)),
        (["db", "db.old", "made", "raw"].map(String::from).to_vec(), vec![])
    );

    // And the other one is there by the time that it is to be made.
    set_current_dir(&one).unwrap();
    fs::remove_file("made").unwrap();
    let root = || {
        old_bank(Path::new("made"), 2);
        leave();
        old_root()
    };
    // SAFETY: as above.
    let made = unsafe { options().open_or_create::<_, PageCache>("made", LEN, root) }.expect("it is there");
    assert_eq!(made.root().count.get(), 2);
    drop(made);
    process::begun();
}

#[test]
fn a_change_of_the_working_directory_in_a_closure_leads_nowhere_else() {
    let folder = Folder::new();
    assert!(child::begin("change-folders", folder.path()).end());
}

#[test]
fn a_folder_that_is_renamed_in_a_closure_is_the_same_folder() {
    let folder = Folder::new();
    let [one, two] = ["one", "two"].map(|name| folder.join(name));
    fs::create_dir(&one).unwrap();
    old_bank(&one.join("db"), 3);
    let moved = |old: &old::Bank, new: &mut Region<Bank, PageCache>| {
        fs::rename(&one, &two).unwrap();
        fs::create_dir(&one).unwrap();
        fill(old, new)
    };
    let kept = options().keep_old(one.join("db.old"));
    drop(migrate_with(&kept, &one.join("db"), LEN, new_root, moved).expect("room"));
    assert_eq!(names(&one), [""; 0]);
    assert_new::<PageCache>(&two.join("db"), 3);
    assert_old::<PageCache>(&two.join("db.old"), 3);
}
