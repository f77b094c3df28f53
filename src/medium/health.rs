//! [`Health`]: what the kernel knows of the memory under a region, and what it was not asked for or can't say.

use super::sysfs::Shutdowns;
use super::{FileOptions, OpenFile, PersistenceDomain, extents};
use crate::error::{Error, Result};
use rustix::io::Errno;
use std::ops::Range;
use std::{fs, io};

/// What the kernel knows of the memory under a region; see [`Region::health`](crate::Region::health).
///
/// `None` stands for what could not be found out: there is no such attribute in sysfs, or no right to read it.
///
/// ```
/// use indelible::medium::Health;
///
/// /// What an operator should hear of.
/// fn complaints(health: &Health) -> Vec<String> {
///     let mut found = Vec::new();
///     match &health.bad_blocks {
///         Some(ranges) if ranges.is_empty() => {}
///         Some(ranges) => found.push(format!("bad blocks at bytes {ranges:x?}")),
///         None => found.push("nobody knows of bad blocks".to_string()),
///     }
///     if health.persistence_domain.is_none() {
///         found.push("not persistent memory, or the kernel does not say so".to_string());
///     }
///     if let Some(count @ 1..) = health.unsafe_shutdowns {
///         found.push(format!("{count} power failures at which not everything was saved"));
///     }
///     found
/// }
/// # use indelible::{Persistent, Region, Word, medium::PageCache};
/// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
/// # let folder = tempfile::tempdir_in(".").unwrap(); // not in /tmp, which may be memory
/// # let path = folder.path().join("counter.pm");
/// # let region: Region<_, PageCache> = unsafe { Region::create(&path, 1 << 20, Counter { hits: Word::new(0) })? };
/// for complaint in complaints(&region.health()?) {
///     eprintln!("{complaint}");
/// }
/// # Ok::<(), indelible::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The persistence domain of the memory. `None` for ordinary disks, and for memory that the kernel does not
    /// vouch for, whatever [`Options::assume_persistence_domain`](crate::Options::assume_persistence_domain) says.
    pub persistence_domain: Option<PersistenceDomain>,
    /// Bad blocks that lie in the region, in bytes from its start. `None` for a device that keeps no list, for
    /// a volume on several devices of which one has bad blocks, and for device DAX without the right to read
    /// the physical addresses (root), if there are bad blocks at all.
    pub bad_blocks: Option<Vec<Range<u64>>>,
    /// How often the memory lost power without saving everything, summed over its modules (`dirty_shutdown`).
    pub unsafe_shutdowns: Option<u64>,
    /// The same count as the region holds it: what it was when the region was opened or created.
    pub recorded_unsafe_shutdowns: Option<u64>,
}

impl OpenFile {
    /// Bad blocks that lie in the file or device, in bytes from its start.
    pub(crate) fn bad_blocks(&self) -> Result<Option<Vec<Range<u64>>>> {
        let Some(bad) = self.sysfs.bad_blocks(self.dev, self.device) else { return Ok(None) };
        if bad.is_empty() {
            return Ok(Some(bad));
        }
        let found = if self.device {
            bad
        } else {
            match extents::of(&self.file) {
                Ok(extents) => in_file(&bad, &extents),
                // The file system does not tell.
                Err(error) if error.raw_os_error() == Some(Errno::OPNOTSUPP.raw_os_error()) => {
                    return Ok(None);
                }
                Err(error) => return Err(Error::from_io("FS_IOC_FIEMAP", &self.path, error)),
            }
        };
        let inside = found.into_iter().map(|range| range.start..range.end.min(self.exact_len));
        Ok(Some(inside.filter(|range| !range.is_empty()).collect()))
    }

    /// Refuses bad blocks, unless they are allowed.
    pub(crate) fn check_bad_blocks(&self, options: &FileOptions) -> Result<()> {
        if options.bad_blocks {
            return Ok(());
        }
        match self.bad_blocks()? {
            Some(ranges) if !ranges.is_empty() => Err(Error::BadBlocks { path: self.path.clone(), ranges }),
            _ => Ok(()),
        }
    }

    /// The unsafe-shutdown count of the memory.
    pub(crate) fn shutdowns(&self) -> Option<Shutdowns> {
        self.sysfs.shutdowns(self.dev, self.device)
    }

    /// The driver of a device-DAX device that can't be mapped.
    pub(crate) fn foreign_dax_driver(&self) -> Option<String> {
        if self.device { self.sysfs.foreign_dax_driver(self.dev) } else { None }
    }

    /// Lets the memory controllers write out their own buffers.
    pub(crate) fn deep_flush(&self) -> Result<()> {
        if !self.device {
            // fsync sends the device a flush, and pmem's is this one (Linux drivers/nvdimm/pmem.c,
            // `pmem_submit_bio`, `REQ_PREFLUSH`).
            return self.sync();
        }
        let unsupported = || Error::Unsupported {
            path: self.path.clone(),
            what: "the kernel offers no deep flush for this device (its NVDIMM region has no `deep_flush`): a commit is as durable as it gets here",
        };
        let attribute = self.sysfs.deep_flush(self.dev, self.device).ok_or_else(unsupported)?;
        match fs::read_to_string(&attribute) {
            // Nothing is buffered that a flush would write.
            Ok(text) if text.trim() == "0" => Ok(()),
            Ok(_) => fs::write(&attribute, "1").map_err(|error| Error::from_io("write", &attribute, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(unsupported()),
            Err(error) => Err(Error::from_io("read", &attribute, error)),
        }
    }

    /// All that can be found out about the memory.
    pub(crate) fn health(&self) -> Result<Health> {
        Ok(Health {
            persistence_domain: self.sysfs.domain(self.dev, self.device).domain,
            bad_blocks: self.bad_blocks()?,
            unsafe_shutdowns: self.shutdowns().map(|shutdowns| shutdowns.count),
            recorded_unsafe_shutdowns: None,
        })
    }
}

/// The bad blocks of a device as bytes of a file, in the file's order.
fn in_file(bad: &[Range<u64>], extents: &[extents::Extent]) -> Vec<Range<u64>> {
    let mut found: Vec<Range<u64>> = Vec::new();
    for extent in extents {
        let Some(physical) = extent.physical else { continue };
        for range in bad {
            let start = range.start.max(physical);
            let end = range.end.min(physical.saturating_add(extent.len));
            if start < end {
                found.push(start - physical + extent.logical..end - physical + extent.logical);
            }
        }
    }
    found.sort_unstable_by_key(|range| range.start);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::medium::sysfs::tests::Tree;
    use crate::medium::{Access, PageCache};
    use crate::options::Options;
    use crate::region::create::create;
    use crate::region::open::open_file;
    use crate::{Persistent, Region, Word};
    use std::path::{Path, PathBuf};

    #[derive(Persistent)]
    #[repr(C)]
    struct Counter {
        hits: Word<u64>,
    }

    const LEN: u64 = 256 << 10;
    const DISK: &str = "devices/ndbus0/region0/pfn0.1/block/pmem0";
    /// Where the partition begins on the disk, in bytes.
    const START: u64 = 2048 * 512;

    /// A region on this machine's disk, and a tree that takes its file system for one on a partition of
    /// persistent memory. `None` if the file system does not tell where its files are.
    fn place() -> Option<(tempfile::TempDir, PathBuf, Tree)> {
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let path = folder.path().join("counter");
        let region: Region<Counter, PageCache> =
            create(&path, LEN, Counter { hits: Word::new(0) }, &Options::new()).unwrap();
        region.close().unwrap();
        let file = OpenFile::open(&path, Access::Write, Options::new().file()).unwrap();
        if extents::of(&file.file)
            .map_or(true, |extents| extents.iter().all(|extent| extent.physical.is_none()))
        {
            eprintln!("not run: the file system does not tell where its files are");
            return None;
        }
        let tree = Tree::new();
        let (major, minor) = file.dev;
        tree.link(&format!("dev/block/{major}:{minor}"), &format!("{DISK}/pmem0p1"))
            .file(&format!("{DISK}/pmem0p1/partition"), "1\n")
            .file(&format!("{DISK}/pmem0p1/start"), "2048\n")
            .file(&format!("{DISK}/badblocks"), "");
        Some((folder, path, tree))
    }

    fn open(path: &Path, tree: &Tree, options: &Options) -> Result<Region<Counter, PageCache>> {
        let mut file = OpenFile::open(path, Access::Write, Options::new().file()).unwrap();
        file.sysfs = tree.sysfs();
        open_file(file, options)
    }

    /// Says that the sectors which hold these bytes of the file are bad.
    fn make_bad(path: &Path, tree: &Tree, bytes: &[Range<u64>]) {
        let all =
            extents::of(&OpenFile::open(path, Access::Write, Options::new().file()).unwrap().file).unwrap();
        let extents: Vec<_> =
            all.iter().filter_map(|extent| Some((extent.logical, extent.len, extent.physical?))).collect();
        let place = |at: u64| {
            let inside = |(logical, len, _): &&(u64, u64, u64)| (*logical..logical + len).contains(&at);
            let (logical, _, physical) = extents.iter().find(inside).expect("every byte has a block");
            (START + physical + (at - logical)) / 512
        };
        // Before and behind them are other files' bad blocks.
        let first = (START + extents.iter().map(|extent| extent.2).min().unwrap()) / 512;
        let last = (START + extents.iter().map(|extent| extent.2 + extent.1).max().unwrap()) / 512;
        let mut lines = format!("0 8\n{} 8\n", first - 8);
        for range in bytes {
            lines += &format!("{} {}\n", place(range.start), (range.end - range.start) / 512);
        }
        tree.file(&format!("{DISK}/badblocks"), &format!("{lines}{last} 8\n"));
    }

    #[test]
    fn bad_blocks_of_the_file_are_refused_with_their_place_and_allowed_where_they_may_be() {
        let Some((_folder, path, tree)) = place() else { return };
        let good = open(&path, &tree, &Options::new()).unwrap();
        assert_eq!(good.health().unwrap().bad_blocks, Some(vec![]));
        good.close().unwrap();

        let bad = vec![0x8000..0x8200, 0x2_0000..0x2_1000];
        make_bad(&path, &tree, &bad);
        let error = open(&path, &tree, &Options::new()).unwrap_err();
        assert!(matches!(&error, Error::BadBlocks { ranges, .. } if *ranges == bad), "{error}");
        let region = open(&path, &tree, &Options::new().allow_bad_blocks()).unwrap();
        assert_eq!(region.health().unwrap().bad_blocks, Some(bad));
    }

    #[test]
    fn bad_blocks_of_other_files_are_not_this_ones() {
        let Some((_folder, path, tree)) = place() else { return };
        make_bad(&path, &tree, &[]);
        assert_eq!(open(&path, &tree, &Options::new()).unwrap().health().unwrap().bad_blocks, Some(vec![]));
    }

    #[test]
    fn bad_blocks_are_placed_by_extent_and_cut_off_at_its_ends() {
        let extent = |logical, physical, len| extents::Extent {
            logical,
            len,
            blocks: extents::Blocks::Own,
            physical: Some(physical),
        };
        let nowhere = extents::Extent { physical: None, ..extent(8192, 0, 4096) };
        let extents = [extent(0, 10_000, 4096), extent(4096, 50_000, 4096), nowhere];
        let bad = [9_000..10_512, 14_000..15_000, 49_000..60_000, 90_000..91_000];
        assert_eq!(in_file(&bad, &extents), [0..512, 4000..4096, 4096..8192]);
    }

    #[test]
    fn what_nobody_knows_is_none() {
        let Some((_folder, path, _)) = place() else { return };
        let region = open(&path, &Tree::new(), &Options::new()).unwrap();
        let nothing = Health {
            persistence_domain: None,
            bad_blocks: None,
            unsafe_shutdowns: None,
            recorded_unsafe_shutdowns: None,
        };
        assert_eq!(region.health().unwrap(), nothing);
        region.deep_flush().unwrap();
    }

    /// A device-DAX device whose region has these attributes; the file stands in for the device.
    fn device(tree: &Tree, deep_flush: Option<&str>) -> OpenFile {
        let region = "devices/ndbus0/region3";
        tree.link("dev/char/252:1", &format!("{region}/dax3.1/dax3.0"));
        if let Some(text) = deep_flush {
            tree.file(&format!("{region}/deep_flush"), text);
        }
        let path = tree.0.path().join("device");
        fs::write(&path, "").unwrap();
        let mut file = OpenFile::open(&path, Access::Write, Options::new().file()).unwrap();
        (file.device, file.dev, file.sysfs) = (true, (252, 1), tree.sysfs());
        file
    }

    #[test]
    fn a_deep_flush_of_a_device_is_a_write_to_its_region() {
        let tree = Tree::new();
        let attribute = tree.0.path().join("devices/ndbus0/region3/deep_flush");
        device(&tree, Some("1 buffers\n")).deep_flush().unwrap();
        assert_eq!(fs::read_to_string(&attribute).unwrap(), "1");
        // Nothing to do, and a file that nobody may write.
        let tree = Tree::new();
        let attribute = tree.0.path().join("devices/ndbus0/region3/deep_flush");
        device(&tree, Some("0\n")).deep_flush().unwrap();
        assert_eq!(fs::read_to_string(&attribute).unwrap(), "0\n");
    }

    #[test]
    fn where_there_is_no_deep_flush_it_is_not_pretended() {
        let tree = Tree::new();
        let error = device(&tree, None).deep_flush().unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        // A folder can be read as little as an attribute that only root may write can be written.
        let tree = Tree::new();
        fs::create_dir_all(tree.0.path().join("devices/ndbus0/region3/deep_flush")).unwrap();
        let error = device(&tree, None).deep_flush().unwrap_err();
        assert!(
            matches!(&error, Error::NotAFile { path, .. } if path.ends_with("region3/deep_flush")),
            "{error}"
        );
    }
}
