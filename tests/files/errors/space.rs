//! File systems that run full, end too early or can't promise room, and files with holes.

use crate::child;
use crate::state::State;
use crate::support::*;
use indelible::medium::PageCache;
use indelible::medium::{Emulated, MemoryFileSystem};
use indelible::{Error, Region, Result};
use indelible_test_support::image::Image;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

const MIB: u64 = 1 << 20;

/// Publishes a new history of so many bytes.
fn write_history(bank: &mut Region<Bank, PageCache>, bytes: u64) -> Result<()> {
    bank.transact(|tx, root| {
        let history = tx.alloc_slice_with((bytes / 8) as usize, |_| 1_u64)?;
        tx.free(tx.replace(&root.history, tx.persist(history)?));
        Ok(())
    })
}

/// A copy in which pages of zeros are holes.
fn copy_sparsely(image: &Image, path: &Path) {
    let file = File::create(path).expect("the test's own");
    file.set_len(image.0.len() as u64).expect("the test's own");
    for (index, page) in
        image.0.chunks(4096).enumerate().filter(|(_, page)| page.iter().any(|&byte| byte != 0))
    {
        file.write_all_at(page, index as u64 * 4096).expect("room for what is not a hole");
    }
}

fn has_holes(path: &Path) -> bool {
    let metadata = path.metadata().expect("the test's own");
    metadata.blocks() * 512 < metadata.len()
}

#[test]
fn a_copy_with_holes_opens_and_gets_real_blocks() {
    let folder = Folder::new();
    let image = bank(&folder.join("x"));
    let copy = folder.join("copy");
    copy_sparsely(&image, &copy);
    if !has_holes(&copy) {
        note("this file system makes no holes: the copy has blocks already");
    }
    let bank = open::<Bank, PageCache>(&copy).expect("there is room");
    assert!(!has_holes(&copy), "what is open has a block for each of its bytes");
    drop(bank);
    assert_good(&copy);
}

#[test]
fn a_full_disk_is_an_error_and_no_signal() {
    let folder = Folder::new();
    let line = format!(
        "F=${}; PATH=$PATH:/sbin:/usr/sbin; truncate -s 16M \"$F/disk\" && mkfs.ext4 -q -m 0 \"$F/disk\" && mount -o loop \"$F/disk\" \"$F\"",
        child::FOLDER
    );
    child::run_if_possible("an ext4 image of 16 MiB", &line, "fill the disk", &folder);
}

#[test]
fn a_full_memory_file_system_is_an_error_and_no_signal() {
    let folder = Folder::new();
    let line = format!("mount -t tmpfs -o size=12m tmpfs \"${}\"", child::FOLDER);
    child::run_if_possible("a tmpfs of 12 MiB", &line, "fill the disk", &folder);
}

pub fn fill_the_disk(folder: &Folder) {
    let (path, new, sparse) = (folder.join("x"), folder.join("new"), folder.join("sparse"));
    let advice = "make room on the file system and try again";
    let error = refused(folder, "disk full: create", advice, || create::<PageCache>(&new, 64 * MIB));
    assert_error!(error, Error::DiskFull { needed, .. } if needed == 64 * MIB);

    let mut image = bank(&path);
    image.0.resize(2 * MIB as usize, 0);
    copy_sparsely(&image, &sparse);
    assert!(has_holes(&sparse));
    let mut bank = open::<Bank, PageCache>(&path).expect("there is room still");
    let filler = fill(folder);

    let error =
        refused(folder, "disk full: open a copy with holes", advice, || open::<Bank, PageCache>(&sparse));
    assert_error!(error, Error::DiskFull { needed, .. } if needed == 2 * MIB);

    let usage = bank.usage().expect("good");
    let error = refused(folder, "disk full: growth", advice, || write_history(&mut bank, 4 * MIB));
    assert_error!(error, Error::DiskFull { .. });
    assert_eq!(bank.usage().expect("good"), usage);
    // What needs no growth works on a full disk: every byte of the region has its block.
    write_history(&mut bank, 8 << 10).expect("the region has room for it");

    // Half a MiB is not enough, and some file systems lengthen a file until they find out.
    let free_again = File::options().write(true).open(&filler).and_then(|file| {
        file.set_len(file.metadata()?.len() - MIB / 2)?;
        file.sync_all()
    });
    free_again.expect("the test's own");
    let error = refused(folder, "disk full: growth", advice, || write_history(&mut bank, 4 * MIB));
    assert_error!(error, Error::DiskFull { .. });
    write_history(&mut bank, MIB / 4).expect("it grows by less than a whole step");

    std::fs::remove_file(filler).expect("the test's own");
    write_history(&mut bank, 2 * MIB).expect("there is room again");
    drop(bank);
    drop(open::<Bank, PageCache>(&path).expect("good"));
    assert_good(&sparse);
}

/// A file that takes what is left.
fn fill(folder: &Folder) -> std::path::PathBuf {
    let path = folder.join("filler");
    let file = File::create(&path).expect("a name is there still");
    let (mut at, mut step) = (0, MIB);
    while step >= 512 {
        match file.write_all_at(&vec![1; step as usize], at).and_then(|()| file.sync_all()) {
            Ok(()) => at += step,
            Err(_) => step /= 2,
        }
    }
    path
}

/// Runs on every machine: the limit on the size of a file is answered as a full disk is.
#[test]
fn a_limit_on_file_sizes_is_a_full_disk() {
    let folder = Folder::new();
    bank(&folder.join("x"));
    // 4 or 8 MiB: shells count in blocks of 512 bytes or of 1024.
    let line = "trap '' XFSZ && ulimit -f 8192";
    child::run_after(line, false, "meet the limit on files", &folder);
    open::<Bank, PageCache>(&folder.join("x")).expect("good");
    note(
        "run, a full disk by a limit on the size of files (but for a copy with holes, which it does not stop)",
    );
}

pub fn meet_the_limit_on_files(folder: &Folder) {
    let (path, new) = (folder.join("x"), folder.join("new"));
    let advice = "make room on the file system and try again";
    let error = refused(folder, "disk full: create", advice, || create::<PageCache>(&new, 64 * MIB));
    assert_error!(error, Error::DiskFull { needed, .. } if needed == 64 * MIB);

    let mut bank = open::<Bank, PageCache>(&path).expect("good");
    let usage = bank.usage().expect("good");
    let case = "disk full: growth beyond the limit on files";
    let error = refused(folder, case, advice, || write_history(&mut bank, 16 * MIB));
    assert_error!(error, Error::DiskFull { needed, .. } if needed > 16 * MIB);
    assert_eq!(bank.usage().expect("good"), usage);
    write_history(&mut bank, 8 << 10).expect("the region has room for it");
    write_history(&mut bank, 2 * MIB).expect("it may grow so far");
}

/// It was mapped over all that it may grow to when it was opened.
#[test]
fn growth_needs_no_address_space() {
    child::run_after("true", false, "grow without address space", &Folder::new());
}

pub fn grow_without_address_space(folder: &Folder) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let mut bank = create::<PageCache>(&folder.join("x"), MIB).expect("room");
    let history = vec![5; 4 << 20]; // made before there is no memory left
    let whole = getrlimit(Resource::As);
    setrlimit(Resource::As, Rlimit { current: Some(0), ..whole }).expect("less than it was");
    let grown = bank.transact(|tx, root| {
        let history = tx.stream_slice(&history)?;
        tx.free(tx.take(&root.history));
        tx.stage(&root.history, history);
        Ok(())
    });
    setrlimit(Resource::As, whole).expect("it was allowed before");
    grown.expect("it grows");
    assert_eq!(folder.join("x").metadata().expect("there").len(), bank.len());
    assert!(bank.len() > 32 * MIB && bank.root().history.get() == Some(&history[..]));
}

/// Anonymous memory needs the kernel's leave to grow. Without it the region is as it was; and what it keeps back is there
/// for what gives back as much as it takes, whatever keeps the region from growing, not only a full disk.
#[test]
fn where_memory_can_not_grow_what_is_kept_back_can_be_used() {
    child::run_after("true", false, "grow without memory", &Folder::new());
}

pub fn grow_without_memory(_: &Folder) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let mut bank = Region::new(MIB, empty_bank()).expect("memory");
    let (len, usage) = (bank.len(), bank.usage().expect("good"));
    let large = vec![1_u64; MIB as usize];
    let whole = getrlimit(Resource::Data);
    // Not 0, which counts as none (Linux mm/mmap.c, `may_expand_vm`).
    setrlimit(Resource::Data, Rlimit { current: Some(MIB), ..whole }).expect("less than it was");
    let refused = bank.transact(|tx, _| {
        tx.free(tx.alloc_slice(&large)?);
        Ok(())
    });
    let give_back = |bank: &mut Region<Bank, Emulated>, pages: usize| {
        bank.transact(|tx, _| {
            tx.free(tx.flush(tx.alloc_slice(&large[..pages * 512])?));
            Ok(())
        })
    };
    let most = (1..).take_while(|&pages| give_back(&mut bank, pages).is_ok()).last();
    let keep = bank.transact(|tx, root| {
        tx.free(tx.take(&root.history));
        tx.stage(&root.history, tx.stream_slice(&large[..most.unwrap_or(1) * 512])?);
        Ok(())
    });
    let usage_then = bank.usage();
    setrlimit(Resource::Data, whole).expect("it was allowed before");
    assert_error!(refused.expect_err("no memory"), Error::AddressSpace { .. });
    assert_eq!((bank.len(), usage_then.expect("good")), (len, usage), "nothing was changed");
    assert!(most.is_some_and(|pages| pages > 64), "{most:?}");
    assert_error!(keep.expect_err("that is kept back"), Error::AddressSpace { .. });
    bank.transact(|tx, root| {
        tx.stage(&root.history, tx.stream_slice(&large)?);
        Ok(())
    })
    .expect("it grows where it may");
}

#[test]
fn a_limit_on_open_files_leaves_nothing_behind() {
    let folder = Folder::new();
    bank(&folder.join("x"));
    child::run_after("ulimit -n 64", false, "meet the limit on open files", &folder);
    assert_good(&folder.join("x"));
}

/// With no descriptor left, and with one and then two, so that each later step fails too.
pub fn meet_the_limit_on_open_files(folder: &Folder) {
    let new = folder.join("new");
    let advice = "nothing was changed";
    let case = "limit: open files";
    for left in 0..2 {
        let before = State::of(folder.path());
        let mut hoard: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        hoard.truncate(hoard.len() - left);
        let errors = [
            (left == 0)
                .then(|| open::<Bank, PageCache>(&folder.join("x")).map(drop).expect_err("no descriptor")),
            Some(create::<PageCache>(&new, LEN).map(drop).expect_err("too few descriptors")),
        ];
        drop(hoard);
        State::of(folder.path()).assert_same(&before, case);
        for error in errors.into_iter().flatten() {
            assert!(error.to_string().contains(advice), "{error}");
            assert_error!(error, Error::Io { op: "open", .. });
        }
    }
    let hoard: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let error = open::<Bank, PageCache>(&folder.join("x")).map(drop).expect_err("no descriptor");
    drop(hoard);
    crate::snapshot::check(case, &error, folder.path());
}

/// An unnamed file gets its name through procfs.
#[test]
fn create_without_procfs_leaves_nothing_behind() {
    let folder = Folder::new();
    child::run_if_possible(
        "a machine without /proc",
        "mount -t tmpfs none /proc",
        "create without procfs",
        &folder,
    );
    assert_eq!(std::fs::read_dir(folder.path()).expect("the test's own").count(), 0);
}

pub fn without_procfs(folder: &Folder) {
    let error = create::<PageCache>(&folder.join("new"), LEN).map(drop).expect_err("no way to name it");
    crate::snapshot::check("disk: create without procfs", &error, folder.path());
    assert_error!(error, Error::Io { op: "linkat", .. });
}

/// `ramfs` has no `fallocate`; of those file systems it is the one that every kernel has.
#[test]
fn a_file_system_that_can_not_promise_room_is_refused() {
    let folder = Folder::new();
    let line = format!(
        "F=${}; exec 3<\"$F/x\" && mount -t ramfs ramfs \"$F\" && cat <&3 >\"$F/x\" && exec 3<&-",
        child::FOLDER
    );
    bank(&folder.join("x"));
    child::run_if_possible("a ramfs", &line, "open without fallocate", &folder);
}

pub fn without_fallocate(folder: &Folder) {
    let (path, new) = (folder.join("x"), folder.join("new"));
    let options = options().allow_memory_file_system(MemoryFileSystem::Ramfs);
    let (case, advice) = ("disk: no fallocate", "use ext4, XFS or another");
    // SAFETY: the file is the test's own, and tests run one at a time.
    let error = refused(folder, case, advice, || unsafe { options.open::<Bank, PageCache>(&path) });
    assert_error!(error, Error::Unsupported { .. });
    let case = "disk: create without fallocate";
    // SAFETY: as above.
    let attempt = || unsafe { options.create::<Bank, PageCache>(&new, LEN, empty_bank()) };
    assert_error!(refused(folder, case, advice, attempt), Error::Unsupported { .. });
}
