//! The raw layer: files that are no mapping, places where one can't be, and parts that can't be had.

use crate::support::*;
use indelible::mapping::Mapping;
use indelible::medium::{Auto, FileMedium, MapSync, PageCache, Writable};
use indelible::{Error, Options, Result};
use indelible_test_support::image::Image;
use std::path::Path;

fn map<M: FileMedium + Writable>(path: &Path) -> Result<Mapping<M>> {
    // SAFETY: the file is the test's own, and tests run one at a time.
    unsafe { options().open_mapping(path) }
}

fn make<M: FileMedium + Writable>(path: &Path, len: u64) -> Result<Mapping<M>> {
    // SAFETY: as in `map`.
    unsafe { options().create_mapping(path, len, |_| Ok(())) }
}

#[test]
fn a_mapping_has_whole_pages() {
    let folder = Folder::new();
    for (name, len, case) in [
        ("none", 0, "mapping: an empty file"),
        ("some", 100, "mapping: a short file"),
        ("odd", 9000, "mapping: a ragged end"),
    ] {
        let path = folder.file(name, &vec![1; len as usize]);
        let error = refused(&folder, case, "whole number of pages", || map::<PageCache>(&path));
        assert_error!(error, Error::BadMappingLength { len: found, .. } if found == len);
    }
    let path = folder.join("new");
    for (len, case) in [
        (0, "mapping: of no bytes"),
        (5000, "mapping: of some bytes"),
        (1 << 62, "mapping: of too many bytes"),
    ] {
        let error = refused(&folder, case, "whole number of pages", || make::<PageCache>(&path, len));
        assert_error!(error, Error::BadMappingLength { len: found, .. } if found == len);
    }
    assert_error!(Mapping::new(1).map(drop), Err(Error::BadMappingLength { len: 1, .. }));
}

#[test]
fn what_is_no_file_is_not_mapped() {
    let folder = Folder::new();
    let error = refused(&folder, "mapping: no file", "no such file", || map::<Auto>(&folder.join("x")));
    assert_error!(error, Error::NotFound { .. });
    let error = refused(&folder, "mapping: a folder", "regular file", || map::<Auto>(folder.path()));
    assert_error!(error, Error::NotAFile { .. });
}

#[test]
fn a_file_is_never_replaced() {
    let folder = Folder::new();
    let path = folder.file("x", &[7; 4096]);
    let error = refused(&folder, "mapping: the file exists", "never replaced", || make::<Auto>(&path, 4096));
    assert_error!(error, Error::Exists { .. });
    assert_eq!(Image::read(&path).0, [7; 4096]);
}

#[test]
fn an_existing_device_is_not_made() {
    let folder = Folder::new();
    let error =
        refused(&folder, "mapping: make a device", "open it", || make::<Auto>(Path::new("/dev/null"), 4096));
    assert_error!(error, Error::Unsupported { .. });
}

#[test]
fn a_mapping_holds_the_lock() {
    let folder = Folder::new();
    let path = folder.join("x");
    let first = make::<PageCache>(&path, 8192).expect("room");
    let error = refused(&folder, "mapping: open already", "close it there first", || map::<Auto>(&path));
    assert_error!(error, Error::Locked { .. });
    let error = refused(&folder, "mapping: a region of a mapping", "close it there first", || {
        open::<Bank, Auto>(&path)
    });
    assert_error!(error, Error::Locked { .. });
    first.close().expect("a good disk");
    let second = map::<PageCache>(&path).expect("unlocked");
    assert_eq!((second.len(), second.bytes()), (8192, &[0; 8192][..]));
}

#[test]
fn a_disk_is_no_persistent_memory() {
    let folder = Folder::new();
    let path = folder.file("x", &[0; 4096]);
    let error = refused(&folder, "mapping: MapSync on a disk", "use `PageCache`", || map::<MapSync>(&path));
    assert_error!(error, Error::NotDax { .. });
    let error = refused(&folder, "mapping: make one with MapSync on a disk", "use `PageCache`", || {
        make::<MapSync>(&folder.join("y"), 4096)
    });
    assert_error!(error, Error::NotDax { .. });
    assert_eq!(map::<Auto>(&path).expect("falls back").medium().to_string(), "PageCache (MAP_SHARED, msync)");
}

#[test]
fn memory_is_refused_unless_asked_for() {
    let Some(folder) = Folder::in_memory() else { return note("no tmpfs at /dev/shm") };
    let path = folder.file("x", &[0; 4096]);
    let error = refused(&folder, "mapping: a tmpfs", "allow_memory_file_system", || {
        // SAFETY: as in `map`.
        unsafe { Options::new().open_mapping::<PageCache>(&path) }
    });
    assert_error!(error, Error::MemoryFileSystem { .. });
}

#[test]
fn what_can_t_be_begun_gets_no_name() {
    let folder = Folder::new();
    let path = folder.join("x");
    let error = refused(&folder, "mapping: its first contents fail", "no room", || {
        // SAFETY: as in `map`.
        unsafe {
            options().create_mapping::<PageCache>(&path, 4096, |mapping| {
                let first = mapping.part(0..8)?;
                first.store(7).fence()?;
                Err(Error::other("no room for my header"))
            })
        }
    });
    assert_error!(error, Error::Other(_));
}

#[test]
fn parts_lie_inside_and_apart() {
    let folder = Folder::new();
    let mut mapping = Mapping::new(4096).expect("memory");
    for (ranges, case) in [
        ([0..8, 4096..4097], "mapping: a part behind the end"),
        ([0..8, usize::MAX..usize::MAX], "mapping: a part far behind the end"),
        #[expect(clippy::reversed_empty_ranges, reason = "as a damaged file may give it")]
        ([0..8, 8..0], "mapping: a part that ends before it begins"),
    ] {
        let error = refused(&folder, case, "check the offsets", || mapping.parts(ranges.clone()).map(drop));
        assert_error!(error, Error::PartOutside { len: 4096, .. });
    }
    let same = "mapping: parts that overlap";
    for (first, second) in [(0..64, 63..128), (0..64, 8..16), (8..16, 0..64), (8..16, 8..16)] {
        assert_error!(mapping.parts([first, second]).map(drop), Err(Error::PartsOverlap { .. }));
    }
    let apart = [0..64, 100..108, 60..68];
    assert_error!(mapping.parts(apart).map(drop), Err(Error::PartsOverlap { .. }));
    let error = refused(&folder, same, "split them", || mapping.parts([100..108, 0..64, 60..68]).map(drop));
    assert_error!(error, Error::PartsOverlap { first, second } if (first.start, second.start) == (0, 60));
    mapping.parts([0..64, 64..128, 64..64, 4096..4096]).map(drop).expect("an empty part overlaps nothing");
}
