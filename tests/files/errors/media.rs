//! Media that a file system can't be used with.

use crate::support::*;
use indelible::medium::{Auto, FileMedium, MapSync, MemoryFileSystem, PageCache, Writable};
use indelible::{Error, Options, Region, Result};

/// By `open`, `create` and `open_or_create` with these options; a case for the file that is there and one for
/// the file that is to be made.
#[track_caller]
fn refused_by_all<M: FileMedium + Writable>(
    folder: &Folder,
    options: &Options,
    [there, new]: [&str; 2],
    advice: &str,
) -> [Error; 4] {
    let refused =
        |case, attempt: &dyn Fn() -> Result<Region<Bank, M>>| refused(folder, case, advice, attempt);
    let (old_path, new_path) = (folder.join("x"), folder.join("new"));
    [
        // SAFETY: the file is the test's own, and tests run one at a time.
        refused(there, &|| unsafe { options.open(&old_path) }),
        // SAFETY: as above.
        refused(there, &|| unsafe { options.open_or_create(&old_path, LEN, empty_bank) }),
        // SAFETY: as above.
        refused(new, &|| unsafe { options.create(&new_path, LEN, empty_bank()) }),
        // SAFETY: as above.
        refused(new, &|| unsafe { options.open_or_create(&new_path, LEN, empty_bank) }),
    ]
}

#[track_caller]
fn only_map_sync_is_refused(folder: &Folder) {
    let path = folder.join("x");
    bank(&path);
    if let Ok(_) | Err(Error::NoPersistenceDomain { .. }) = open::<Bank, MapSync>(&path) {
        return note("this file system grants MAP_SYNC: Error::NotDax was not tried here");
    }
    let (there, advice) = ("medium: open without DAX", "use `PageCache` or `Auto`");
    let cases = [there, "medium: create without DAX"];
    for error in refused_by_all::<MapSync>(folder, &options(), cases, advice) {
        assert_error!(error, Error::NotDax { .. });
    }
    // SAFETY: the file is the test's own, and tests run one at a time.
    let by_default = || unsafe { Region::<Bank>::open(&path) };
    assert_error!(refused(folder, there, advice, by_default), Error::NotDax { .. });
    assert_good(&path);
    let fallen_back = open::<Bank, Auto>(&path).expect("it falls back");
    assert!(matches!(fallen_back.medium(), Auto::PageCache(_)));
}

#[test]
fn a_disk_without_dax_is_refused_by_map_sync_only() {
    only_map_sync_is_refused(&Folder::new());
}

#[test]
fn a_memory_file_system_is_refused_by_map_sync_too() {
    match Folder::in_memory() {
        Some(folder) => only_map_sync_is_refused(&folder),
        None => note("/dev/shm is not a tmpfs: MapSync was not tried on one"),
    }
}

/// It would have been refused for want of room otherwise, with the advice to make some.
#[test]
fn a_memory_file_system_is_refused_before_room_is_looked_for() {
    let Some(folder) = Folder::in_memory() else {
        return note("/dev/shm is not a tmpfs: memory file systems were not tried");
    };
    const MUCH: u64 = 1 << 39;
    let path = folder.join("new");
    // SAFETY: the file is the test's own, and tests run one at a time.
    let page_cache = unsafe { Options::new().create::<_, PageCache>(&path, MUCH, empty_bank()) };
    assert_error!(page_cache.map(drop).unwrap_err(), Error::MemoryFileSystem { name: "tmpfs", .. });
    // SAFETY: as above.
    let auto = unsafe { Options::new().create_mapping::<Auto>(&path, MUCH, |_| Ok(())) };
    assert_error!(auto.map(drop).unwrap_err(), Error::MemoryFileSystem { name: "tmpfs", .. });
    // SAFETY: as above.
    let map_sync = unsafe { Options::new().create::<_, MapSync>(&path, MUCH, empty_bank()) };
    assert_error!(map_sync.map(drop).unwrap_err(), Error::NotDax { .. });
}

#[test]
fn a_memory_file_system_is_refused_unless_it_is_asked_for_by_name() {
    let Some(folder) = Folder::in_memory() else {
        return note("/dev/shm is not a tmpfs: memory file systems were not tried");
    };
    bank(&folder.join("x"));
    let cases = ["medium: open on a tmpfs", "medium: create on a tmpfs"];
    let advice = "say `Options::allow_memory_file_system`";
    let another = Options::new().allow_memory_file_system(MemoryFileSystem::Hugetlbfs);
    for options in [Options::new(), another] {
        let page_cache = refused_by_all::<PageCache>(&folder, &options, cases, advice);
        let auto = refused_by_all::<Auto>(&folder, &options, cases, advice);
        for error in page_cache.into_iter().chain(auto) {
            assert_error!(error, Error::MemoryFileSystem { name: "tmpfs", .. });
        }
    }
    assert_good(&folder.join("x"));
}
