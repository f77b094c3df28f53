//! Paths where no region is, and none can be.

use crate::state::State;
use crate::support::*;
use indelible::medium::{Auto, PageCache};
use indelible::{Error, Region};
use rustix::fs::{CWD, FileType, Mode};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

#[track_caller]
fn refused_to_create(folder: &Folder, case: &str, advice: &str, path: &Path) -> Error {
    refused(folder, case, advice, || create::<Auto>(path, LEN));
    refused(folder, case, advice, || create::<PageCache>(path, LEN))
}

/// [`Error`] of `open_or_create`, by both media.
#[track_caller]
fn refused_to_open_or_create(folder: &Folder, case: &str, advice: &str, path: &Path) -> Error {
    refused(folder, case, advice, || open_or_create::<Bank, Auto>(path, empty_bank));
    refused(folder, case, advice, || open_or_create::<Bank, PageCache>(path, empty_bank))
}

#[test]
fn open_of_nothing_says_how_to_make_a_region() {
    let folder = Folder::new();
    let path = folder.join("x");
    let (case, advice) = ("path: open of nothing", "make the region with `create`");
    let error = refused(&folder, case, advice, || open::<Bank, Auto>(&path));
    assert_error!(error, Error::NotFound { path: named } if named == path);
    let error = refused(&folder, case, advice, || open::<Bank, PageCache>(&path));
    assert_error!(error, Error::NotFound { path: named } if named == path);
    drop(open_or_create::<Bank, PageCache>(&path, empty_bank).expect("`open_or_create` makes it"));
    assert!(open::<Bank, Auto>(&path).is_ok());
}

#[test]
fn a_missing_folder_is_named_by_open_and_create() {
    let folder = Folder::new();
    let path = folder.join("missing/x");
    let missing = folder.join("missing");
    let (case, advice) = ("path: the folder is missing", "make the folder first");
    assert_error!(refused_to_open::<Bank>(&folder, case, advice, &path), Error::NoFolder { path } if path == missing);
    assert_error!(refused_to_create(&folder, case, advice, &path), Error::NoFolder { path } if path == missing);
    let error = refused_to_open_or_create(&folder, case, advice, &path);
    assert_error!(error, Error::NoFolder { path } if path == missing);
}

#[test]
fn a_file_is_no_folder() {
    let folder = Folder::new();
    let file = folder.file("file", b"text");
    let path = file.join("x");
    let (case, advice) = ("path: a file where the folder should be", "make the folder first");
    assert_error!(refused_to_open::<Bank>(&folder, case, advice, &path), Error::NoFolder { path } if path == file);
    assert_error!(refused_to_create(&folder, case, advice, &path), Error::NoFolder { path } if path == file);
}

/// Nothing is missing there, so that nobody is told to create it.
#[test]
fn a_file_with_the_path_of_a_folder_is_not_called_missing() {
    let folder = Folder::new();
    let mut path = folder.file("file", b"text").into_os_string();
    path.push("/");
    let path = Path::new(&path);
    for refused in
        [create::<PageCache>(path, LEN).err(), open_or_create::<Bank, PageCache>(path, empty_bank).err()]
    {
        let refused = refused.expect("a file is no folder");
        let kind =
            std::error::Error::source(&refused).and_then(|source| source.downcast_ref::<std::io::Error>());
        assert_eq!(kind.map(std::io::Error::kind), Some(std::io::ErrorKind::NotADirectory), "{refused}");
    }
    assert_eq!(std::fs::read(path.with_file_name("file")).unwrap(), b"text");
}

#[test]
fn create_never_replaces_a_file() {
    let folder = Folder::new();
    let path = folder.join("x");
    bank(&path);
    let error =
        refused_to_create(&folder, "path: create onto a region", "open it, or remove it first", &path);
    assert_error!(error, Error::Exists { path: named } if named == path);
    assert_good(&path);
    let text = folder.file("text", b"not a region, and somebody's work");
    let error =
        refused_to_create(&folder, "path: create onto another file", "open it, or remove it first", &text);
    assert_error!(error, Error::Exists { .. });
    let link = folder.join("link");
    symlink("text", &link).expect("the test's own folder");
    let error = refused_to_create(
        &folder,
        "path: create onto a link to a file",
        "open it, or remove it first",
        &link,
    );
    assert_error!(error, Error::Exists { .. });
}

#[test]
fn what_is_not_a_file_is_called_by_its_name() {
    let folder = Folder::new();
    std::fs::create_dir(folder.join("folder")).expect("the test's own folder");
    rustix::fs::mknodat(CWD, folder.join("pipe"), FileType::Fifo, Mode::RWXU, 0)
        .expect("the test's own folder");
    let _socket = UnixListener::bind(folder.join("socket")).expect("the test's own folder");
    for (case, path, what) in [
        ("path: a folder", folder.join("folder"), "a folder"),
        ("path: a pipe", folder.join("pipe"), "a pipe"),
        ("path: a socket", folder.join("socket"), "a socket"),
        ("path: a device that is not DAX", "/dev/null".into(), "a character device that is not device DAX"),
    ] {
        let advice = "give the path of one";
        let error = refused_to_open::<Bank>(&folder, case, advice, &path);
        assert_error!(error, Error::NotAFile { found, .. } if found == what);
        let error = refused_to_create(&folder, case, advice, &path);
        assert_error!(error, Error::NotAFile { found, .. } if found == what);
        let error = refused_to_open_or_create(&folder, case, advice, &path);
        assert_error!(error, Error::NotAFile { found, .. } if found == what);
    }
}

#[test]
fn symbolic_links_that_lead_in_a_circle_are_refused() {
    let folder = Folder::new();
    let path = folder.join("a");
    symlink("b", &path).expect("the test's own folder");
    symlink("a", folder.join("b")).expect("the test's own folder");
    let (case, advice) = ("path: symbolic links in a circle", "check where they lead");
    assert_error!(refused_to_open::<Bank>(&folder, case, advice, &path), Error::SymlinkLoop { .. });
    assert_error!(refused_to_create(&folder, case, advice, &path), Error::SymlinkLoop { .. });
    assert_error!(refused_to_open_or_create(&folder, case, advice, &path), Error::SymlinkLoop { .. });
}

/// Neither "it exists" nor "there is no such file" would tell the user what to do about it.
#[test]
fn a_dangling_link_is_told_from_a_missing_file_and_from_one_that_exists() {
    let folder = Folder::new();
    let path = folder.join("link");
    symlink("target", &path).expect("the test's own folder");
    let (case, advice) = ("path: a symbolic link to nothing", "use that path, or remove the link");
    let to = Path::new("target");
    let error = refused_to_open::<Bank>(&folder, case, advice, &path);
    assert_error!(error, Error::DanglingSymlink { target, .. } if target == to);
    let error = refused_to_create(&folder, case, advice, &path);
    assert_error!(error, Error::DanglingSymlink { target, .. } if target == to);
    let error = refused_to_open_or_create(&folder, case, advice, &path);
    assert_error!(error, Error::DanglingSymlink { target, .. } if target == to);

    bank(&folder.join("target"));
    assert_good(&path);
}

/// [`Options`](indelible::Options) have the same three calls, and all other tests go through them.
#[test]
fn a_region_without_options_is_refused_the_same() {
    let folder = Folder::new();
    let (path, missing) = (folder.file("y", b"somebody's work"), folder.join("missing/x"));
    let (case, advice) = ("path: open of nothing", "make the region with `create`");
    let file = folder.join("x");
    // SAFETY: there is nothing to be mapped.
    let error = refused(&folder, case, advice, || unsafe { Region::<Bank, PageCache>::open(&file) });
    assert_error!(error, Error::NotFound { .. });
    let (case, advice) = ("path: create without options", "open it, or remove it first");
    let create = || {
        // SAFETY: as above.
        unsafe { Region::<Bank, PageCache>::create(&path, LEN, empty_bank()) }
    };
    assert_error!(refused(&folder, case, advice, create), Error::Exists { .. });
    let (case, advice) = ("path: the folder is missing", "make the folder first");
    let open_or_create = || {
        // SAFETY: as above.
        unsafe { Region::<Bank, PageCache>::open_or_create(&missing, LEN, empty_bank) }
    };
    assert_error!(refused(&folder, case, advice, open_or_create), Error::NoFolder { .. });
}

/// Between the two steps of `open_or_create` somebody else makes the region: the closure does it here.
#[test]
fn open_or_create_opens_what_another_made_meanwhile() {
    let folder = Folder::new();
    let path = folder.join("x");
    let faster = || {
        bank(&path);
        empty_bank()
    };
    let opened = open_or_create::<Bank, PageCache>(&path, faster).expect("it opens the other's region");
    assert_eq!(opened.root().count.get(), 3);
    drop(opened);
    assert_good(&path);

    let path = folder.join("open");
    let mut other = None;
    let faster = || {
        other = Some(create::<PageCache>(&path, LEN).expect("room"));
        empty_bank()
    };
    let error =
        open_or_create::<Bank, PageCache>(&path, faster).map(drop).expect_err("the other has it open");
    assert_error!(error, Error::Locked { .. });
}

#[test]
fn a_panic_while_the_root_is_made_leaves_nothing_behind() {
    let folder = Folder::new();
    let before = State::of(folder.path());
    let caught = std::panic::catch_unwind(|| {
        open_or_create::<Bank, PageCache>(&folder.join("x"), || {
            std::panic::resume_unwind(Box::new("no root"))
        })
    });
    assert!(caught.is_err());
    State::of(folder.path()).assert_same(&before, "a panic in the root's closure");
}

#[test]
fn a_name_that_the_file_system_does_not_take_is_the_kernels_error() {
    let folder = Folder::new();
    let path = folder.join(&"x".repeat(300));
    let case = "path: a name that is too long, open";
    let error = refused_to_open::<Bank>(&folder, case, "nothing was changed", &path);
    assert_error!(error, Error::Io { op: "open", .. });
    let case = "path: a name that is too long, create";
    let error = refused_to_create(&folder, case, "nothing was changed", &path);
    assert_error!(error, Error::Io { op: "linkat", .. });
}
