//! From one root type to another: the old region is read as a snapshot, under the lock of a writer, and the
//! new one built in a file without a name that takes the old one's place when it is whole and durable.

use super::open::{attach, open_file};
use super::recover::stored_schema;
use super::{Region, create};
use crate::error::{Error, Result};
use crate::format::layout::{Layout, region_len};
use crate::format::schema;
use crate::medium::{
    Access, FileMedium, FileMediumImpl, Kept, MediumImpl, OpenFile, Snapshot, Unnamed, Writable, same_file,
    sweep,
};
use crate::options::Options;
use crate::persistent::Persistent;
use std::panic::Location;
use std::path::Path;

#[track_caller]
pub(crate) fn migrate<A: Persistent, R: Persistent, M: FileMedium + Writable>(
    path: &Path,
    len: u64,
    root: impl FnOnce(&A) -> R,
    fill: impl FnOnce(&A, &mut Region<R, M>) -> Result<()>,
    options: &Options,
) -> Result<Region<R, M>> {
    const { A::SOUND };
    let (layout, text) = create::plan::<R>(options.journal(), create::new_id())?;
    if schema::text(A::type_info()) == text {
        return Err(Error::SameSchema { path: path.to_path_buf() });
    }
    // With a shared lock, two migrations could each read the old region, and the second would replace what
    // the first had made of it.
    let file = OpenFile::open(path, Access::Write, options.file())?;
    if file.device {
        return match open_file(file, options) {
            Err(Error::SchemaMismatch { .. }) => Err(Error::Unsupported {
                path: path.to_path_buf(),
                what: "a device has no name that a new region could take, so that a region on device DAX can't be migrated in place; create the new one on another device or in a file, and copy with a program that opens both",
            }),
            other => other,
        };
    }
    let (file, is_new) = compare(file, &text, options)?;
    if is_new {
        if let Ok(own) = file.entry() {
            sweep(&own, &file);
        }
        return open_file(file, options);
    }
    // As in `open`: what a failed write-back may take away again is not read.
    file.sync()?;
    let old: Region<A, Snapshot> = open_file(file, options)?;
    // Each path is looked up here, and not again: `root` and `fill` may change the working directory. A symbolic
    // link stays, and what it leads to is replaced.
    let own = old.medium.file().entry()?;
    let keep = options.kept_old().map(|keep| Kept::at(keep, old.medium.file(), &own)).transpose()?;

    sweep(&own, old.medium.file());
    let len = region_len(len, layout.min_len())?;
    let (unnamed, file) =
        Unnamed::replacing(own, old.medium.file(), len, |file| M::check_place(file, len, options.file()))?;
    file.check_bad_blocks(options.file())?;
    let (stat, id) = (file.stat, layout.region_id);
    let medium = M::attach(file, options.file()).map_err(|refused| refused.error)?;
    let engine = create::build(&medium, layout, &text, root(old.root()), Location::caller())?;
    let mut new = Region::new_parts(medium, engine, false);
    fill(old.root(), &mut new)?;
    new.engine.check_poison()?;
    let file = new.medium.file();
    // The id too, because a file that is gone leaves its inode's number to another.
    let is_own = same_file(&file.stat, &stat) && new.engine.layout.region_id == id;
    assert!(is_own, "`fill` exchanged the region for another one");
    unnamed.replace(file, old.medium.file(), keep.as_ref())?;
    Ok(new)
}

/// Whether the file holds a region with this schema.
fn compare(file: OpenFile, text: &str, options: &Options) -> Result<(OpenFile, bool)> {
    let snapshot: Snapshot = attach(file, options)?;
    let layout = Layout::read(snapshot.map(), snapshot.path(), snapshot.file().exact_len)?;
    let found = stored_schema(&snapshot, &layout)?;
    Ok((snapshot.into_file(), found == text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Word;
    use crate::medium::calls::{self, Call};
    use crate::medium::{MemoryFileSystem, PageCache};

    /// What its last writer left in memory, and what the device may not have, goes into the new region.
    #[test]
    fn the_old_file_is_synced_before_it_is_read() {
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let path = folder.path().join("x");
        let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
        let old = create::create::<_, PageCache>(&path, 1 << 16, Word::new(7_u64), &options).unwrap();
        let inode = old.medium.file().stat.st_ino;
        old.close().unwrap();
        let root = |old: &Word<u64>| {
            // Only the new region is built after this.
            assert_eq!(calls::so_far(), [Call::Sync(inode)]);
            Word::new(old.get() as u32)
        };
        let (new, _) = calls::during(|| {
            migrate::<_, Word<u32>, PageCache>(&path, 1 << 16, root, |_, _| Ok(()), &options)
        });
        assert_eq!(new.unwrap().root().get(), 7);
    }
}
