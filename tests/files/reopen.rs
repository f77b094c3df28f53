//! A region that was closed can be opened at once, whatever else the process does.

use indelible::medium::{MemoryFileSystem, PageCache};
use indelible::{Options, Persistent, Word};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Persistent)]
#[repr(C)]
struct Root {
    word: Word<u64>,
}

/// A child between fork and exec has this process's open files, and with them its locks.
#[test]
fn the_lock_goes_with_the_region_while_another_thread_starts_programs() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("region");
    let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
    let root = || Root { word: Word::new(0) };
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = Command::new("true").status();
            }
        });
        let result = (0..100).try_for_each(|_| {
            // SAFETY: the file is in a folder of this test's own.
            unsafe { options.open_or_create::<Root, PageCache>(&path, 1 << 17, root) }?.close()
        });
        stop.store(true, Ordering::Relaxed);
        result.expect("opened and closed a hundred times");
    });
}
