//! A bank with accounts in a region file: what the tests of files open, spoil and migrate.

use indelible::medium::{FileMedium, MemoryFileSystem};
use indelible::{Link, Options, Persistent, Region, Result, Word};
use std::path::Path;

#[derive(Persistent)]
#[repr(C)]
pub struct Account {
    pub id: u64,
    pub balance: Word<i64>,
    pub next: Link<Account>,
    pub name: Link<str>,
}

/// Bytes of a bank's file.
pub const LEN: u64 = 64 << 10;

/// A small journal, so that the file is small; and wherever the build's folder is, it will do.
pub fn options() -> Options {
    Options::new().journal_words(8).allow_memory_file_system(MemoryFileSystem::Tmpfs)
}

/// Opens a file of the test's own.
pub fn open<R: Persistent, M: FileMedium>(path: &Path) -> Result<Region<R, M>> {
    // SAFETY: the file is in a folder of the test's own, and no other program's.
    unsafe { options().open(path) }
}
