//! Everything that a refused attempt must leave alone.

use rustix::fs::FlockOperation;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A folder's files with their bytes and locks, and this process's open files and mappings.
pub struct State {
    files: BTreeMap<PathBuf, Entry>,
    bytes: BTreeMap<PathBuf, Vec<u8>>,
    open_files: Vec<PathBuf>,
    mappings: Vec<String>,
}

#[derive(PartialEq, Debug)]
struct Entry {
    mode: u32,
    len: u64,
    inode: u64,
    links: u64,
    owner: (u32, u32),
    target: Option<PathBuf>,
    /// Whether somebody holds a lock on it; `None` where it can't be opened.
    locked: Option<bool>,
}

/// Larger files are sparse, and compared by their metadata.
const LARGE: u64 = 1 << 28;

impl State {
    pub fn of(folder: &Path) -> Self {
        let (mut files, mut bytes) = (BTreeMap::new(), BTreeMap::new());
        let mut folders = vec![folder.to_path_buf()];
        while let Some(folder) = folders.pop() {
            // A folder that may not be listed has no listing to compare.
            for file in fs::read_dir(folder).into_iter().flatten() {
                let path = file.expect("a readable folder").path();
                let (entry, contents) = entry(&path);
                if entry.mode & 0o170_000 == 0o040_000 {
                    folders.push(path.clone());
                }
                files.insert(path.clone(), entry);
                bytes.insert(path, contents);
            }
        }
        // The listing's own descriptor is closed by now, and so is in no count.
        let open_files = fs::read_dir("/proc/self/fd")
            .expect("procfs")
            .filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
            .filter(|target| !target.starts_with("/proc"))
            .collect();
        let name = folder.display().to_string();
        let maps = fs::read_to_string("/proc/self/maps").expect("procfs");
        let mappings = maps.lines().filter(|line| line.contains(&name)).map(str::to_string).collect();
        State { files, bytes, open_files, mappings }
    }

    #[track_caller]
    pub fn assert_same(&self, before: &State, case: &str) {
        assert_eq!(self.files, before.files, "{case}: the folder, or a file's metadata");
        for (name, bytes) in &self.bytes {
            // Not `assert_eq`, which would print every byte.
            let differs = bytes.iter().zip(&before.bytes[name]).position(|(now, then)| now != then);
            assert_eq!(differs, None, "{case}: {name:?} differs from this byte on");
        }
        assert_eq!(self.open_files, before.open_files, "{case}: open files");
        assert_eq!(self.mappings, before.mappings, "{case}: mappings");
    }
}

/// What is at `path`, and its bytes where it is a file.
fn entry(path: &Path) -> (Entry, Vec<u8>) {
    let metadata = path.symlink_metadata().expect("it was listed");
    let file = metadata.is_file().then(|| File::open(path).ok()).flatten();
    let locked =
        file.as_ref().map(|file| rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive).is_err());
    let bytes = match metadata.is_file() && metadata.len() < LARGE {
        true => fs::read(path).unwrap_or_default(),
        false => Vec::new(),
    };
    let entry = Entry {
        mode: metadata.mode(),
        len: metadata.len(),
        inode: metadata.ino(),
        links: metadata.nlink(),
        owner: (metadata.uid(), metadata.gid()),
        target: fs::read_link(path).ok(),
        locked,
    };
    (entry, bytes)
}
