//! Who may have a region open: one writer, whatever way leads to the file, and not a child of `fork`.

use crate::child;
use crate::support::*;
use indelible::medium::PageCache;
use indelible::{Error, Region};
use indelible_test_support::process;
use rustix::fd::{AsRawFd, BorrowedFd};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(status: i32) -> !;
}

type Bank = Region<old::Bank, PageCache>;

/// How a child of `fork` ends that does this. 42: `child` has answered.
fn in_a_child(child: impl FnOnce()) -> ExitStatus {
    // SAFETY: this process has one thread but for the harness's, which waits and holds no lock.
    let pid = unsafe { fork() };
    if pid == 0 {
        child();
        // SAFETY: ends the child at once; the harness's own end is for the parent.
        unsafe { _exit(42) };
    }
    let mut status = 0;
    // SAFETY: our own child; `status` is written before it returns.
    assert_eq!(unsafe { waitpid(pid, &mut status, 0) }, pid);
    ExitStatus::from_raw(status)
}

/// In the other process: one region, and children of all kinds.
pub fn fork_in_a_child(path: &Path) {
    process::begun();
    let mut bank: Option<Bank> = Some(open(path).expect("a good region"));
    let mut number = 0;
    let mut still_ours = |bank: &mut Option<Bank>| {
        assert_error!(open::<old::Bank, PageCache>(path), Error::Locked { .. });
        let bank = bank.as_mut().expect("the parent keeps it");
        deposit(bank, number).expect("a good disk");
        number += 1;
        assert_eq!(bank.root().count.get(), number);
    };
    let status = in_a_child(|| drop(bank.take()));
    assert_eq!(status.code(), Some(42), "a child may drop the region: {status}");
    still_ours(&mut bank);

    let status = in_a_child(|| match bank.take().expect("a copy").close() {
        Err(Error::OtherProcess { .. }) => {}
        other => panic!("{other:?}"),
    });
    assert_eq!(status.code(), Some(42), "it can't close it: {status}");
    still_ours(&mut bank);

    let status = in_a_child(|| {
        std::hint::black_box(bank.as_ref().expect("a copy").root().count.get());
    });
    assert_eq!(status.signal(), Some(11), "it has no memory to read: {status}");
    still_ours(&mut bank);

    let status = in_a_child(|| drop(deposit(bank.as_mut().expect("a copy"), 7)));
    assert_eq!(status.signal(), Some(11), "nor to write: {status}");
    still_ours(&mut bank);

    let status = in_a_child(|| assert_error!(open::<old::Bank, PageCache>(path), Error::Locked { .. }));
    assert_eq!(status.code(), Some(42), "it is locked out like others: {status}");
    still_ours(&mut bank);

    bank.take().expect("the parent keeps it").close().expect("a good disk");
    assert_old::<PageCache>(path, 5);
}

#[test]
fn a_child_of_fork_has_neither_the_memory_nor_a_say_in_the_lock() {
    let folder = Folder::new();
    let path = folder.join("x");
    old_bank(&path, 0);
    assert!(child::begin("fork", &path).end());
    assert_old::<PageCache>(&path, 5);
}

#[test]
fn another_thread_and_another_name_are_locked_out() {
    let folder = Folder::new();
    let (path, hard, soft) = (folder.join("x"), folder.join("hard"), folder.join("soft"));
    old_bank(&path, 3);
    fs::hard_link(&path, &hard).expect("ours");
    symlink(&hard, &soft).expect("ours");
    for name in [&path, &hard, &soft] {
        let bank: Bank = open(name).expect("a good region");
        for other in [&path, &hard, &soft] {
            assert_error!(open::<old::Bank, PageCache>(other), Error::Locked { path } if path == *other);
            let there = std::thread::scope(|scope| {
                let open = || open::<old::Bank, PageCache>(other).map(drop);
                scope.spawn(open).join().expect("no panic")
            });
            assert_error!(there, Error::Locked { .. });
        }
        drop(bank);
    }
    assert_old::<PageCache>(&soft, 3);
}

#[test]
fn a_second_descriptor_keeps_no_lock_and_a_program_that_is_started_has_none() {
    let folder = Folder::new();
    let path = folder.join("x");
    old_bank(&path, 3);
    let bank: Bank = open(&path).expect("a good region");
    let number = fs::read_dir("/proc/self/fd").expect("procfs").find_map(|fd| {
        let fd = fd.ok()?;
        (fs::read_link(fd.path()).ok()? == path).then(|| fd.file_name().to_str()?.parse().ok())?
    });
    // SAFETY: the region keeps its descriptor open for as long as it is borrowed here.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number.expect("the region's descriptor")) };
    let second = rustix::io::fcntl_dupfd_cloexec(borrowed, 0).expect("descriptors are left");
    assert!(second.as_raw_fd() > 2);
    let listed = Command::new("ls").args(["-l", "/proc/self/fd"]).output().expect("a program");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("fd") || listed.contains("->"), "{listed}");
    assert!(!listed.contains(path.to_str().expect("a test's name")), "{listed}");
    drop(bank);
    assert_old::<PageCache>(&path, 3);
    drop(second);
}
