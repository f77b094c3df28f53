//! Folders: the one that holds a path, and the names in one.

use rustix::fd::OwnedFd;
use rustix::fs::{Dir, Mode, OFlags};
use rustix::io::retry_on_intr;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The names in a folder, as far as it can be read.
///
/// Not by `std::fs::read_dir`, which panics where the folder can't be closed (`Drop` of `Dir` in `std::sys`).
pub(crate) fn names(folder: &Path) -> Vec<OsString> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(fd) = retry_on_intr(|| rustix::fs::open(folder, flags, Mode::empty())) else { return Vec::new() };
    names_in(fd)
}

/// The same for a folder that is open.
pub(crate) fn names_in(fd: OwnedFd) -> Vec<OsString> {
    let Ok(dir) = Dir::new(fd) else { return Vec::new() };
    dir.map_while(Result::ok)
        .map(|entry| OsStr::from_bytes(entry.file_name().to_bytes()).to_os_string())
        .filter(|name| name != "." && name != "..")
        .collect()
}

/// The folder that holds `path`.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}
