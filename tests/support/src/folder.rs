//! Folders for the files of a test.

use std::path::Path;
use tempfile::TempDir;

/// A folder in memory, where a sync costs nothing; elsewhere if there is no such file system.
pub fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder for the test")
}

/// A folder in another one. On the disk that cargo builds on it is `inside(env!("CARGO_TARGET_TMPDIR"))`.
pub fn inside(parent: impl AsRef<Path>) -> TempDir {
    tempfile::tempdir_in(parent).expect("a folder for the test")
}
