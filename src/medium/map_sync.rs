//! [`MapSync`]: persistent memory, mapped so that the file system's own metadata is durable first.

use super::file::MapError;
use super::map::Sharing;
use super::*;
use crate::flush::{self, Flusher};
use std::fmt;

/// Persistent memory: a file on a DAX file system mapped with `MAP_SYNC`, or a device-DAX device.
///
/// Opening answers a typed error unless the kernel grants `MAP_SYNC` (mmap(2), since Linux 4.15; always
/// asked for with `MAP_SHARED_VALIDATE`, because with plain `MAP_SHARED` the flag is ignored where it is
/// unknown), sysfs names the persistence domain of the memory, and the CPU has an instruction to flush with.
/// A DRAM-backed device (`memmap=`) grants `MAP_SYNC` too, and is refused for its missing domain.
///
/// ```no_run
/// # use indelible::{Persistent, Region, Word, medium::{Instruction, MapSync, PersistenceDomain}};
/// # #[derive(Persistent)] #[repr(C)] struct Counter { hits: Word<u64> }
/// // SAFETY: nothing else writes or truncates this file while the region is open.
/// let region: Region<Counter, MapSync> = unsafe { Region::open("/mnt/pmem/counter")? };
/// match region.medium().persistence_domain() {
///     PersistenceDomain::CpuCache => assert_eq!(region.medium().flush_instruction(), Instruction::Nothing),
///     _ => println!("flushes with {}", region.medium().flush_instruction().name()), // clwb, as a rule
/// }
/// # Ok::<(), indelible::Error>(())
/// ```
#[derive(Debug)]
pub struct MapSync {
    file: OpenFile,
    map: Map,
    flusher: Flusher,
    domain: PersistenceDomain,
    shutdowns: Option<Shutdowns>,
}

impl MapSync {
    /// The persistence domain of the memory: as sysfs says, or as
    /// [`Options::assume_persistence_domain`](crate::Options::assume_persistence_domain) vouches.
    pub fn persistence_domain(&self) -> PersistenceDomain {
        self.domain
    }

    /// The instruction in use; [`Instruction::Nothing`] where the CPU caches are persistent.
    pub fn flush_instruction(&self) -> Instruction {
        self.flusher.instruction()
    }
}

impl fmt::Display for MapSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.file.device { "device DAX" } else { "MAP_SYNC" };
        let domain = match self.domain {
            PersistenceDomain::MemoryController => "memory_controller",
            PersistenceDomain::CpuCache => "cpu_cache",
        };
        write!(f, "MapSync ({how}, {domain}, {})", self.flusher.instruction().name())
    }
}

impl Medium for MapSync {}
impl Writable for MapSync {}
impl FileMedium for MapSync {}

impl Observe for MapSync {}

impl MediumImpl for MapSync {
    #[inline(always)]
    fn map(&self) -> &Map {
        &self.map
    }

    fn path(&self) -> &Path {
        &self.file.path
    }

    fn max_len(&self) -> usize {
        self.map.reserved()
    }

    #[inline]
    fn flush(&self, at: *const u8, len: usize, _: Origin) {
        self.flusher.range(at, len);
    }

    #[inline(always)]
    fn flush_line(&self, at: *const u8, _: Origin) {
        self.flusher.line(at);
    }

    #[inline(always)]
    fn hash_at_most(&self) -> usize {
        self.flusher.hash_at_most()
    }

    #[inline(always)]
    fn fence(&self, _: Origin) -> Result<()> {
        flush::fence();
        Ok(())
    }

    fn stream_object(&self, start: *mut u8, before: usize, bytes: &[u8], _: Origin) -> Result<()> {
        self.map.stream_behind(self.flusher, start, before, bytes);
        Ok(())
    }

    #[inline]
    fn copy_persist(&self, to: &mut [u8], bytes: &[u8], route: Route, _: Origin) -> Result<()> {
        self.flusher.copy_persist(to, bytes, route);
        Ok(())
    }

    fn grow(&self, len: usize) -> Result<()> {
        self.file.grow(&self.map, len)
    }

    fn allocate(&self) -> Result<()> {
        self.file.fill(self.map.len())
    }

    fn shutdowns(&self) -> Option<Shutdowns> {
        self.shutdowns
    }

    fn settle(&self, _: Option<usize>) -> Result<bool> {
        // fsync writes back the lines of every page that was dirtied through a DAX mapping (Linux `fs/dax.c`,
        // `dax_writeback_mapping_range`), also by a process that is gone; a device has no fsync.
        self.file.sync()?;
        // It flushes nothing where the kernel was told that there is no cache (`dax_flush` in `drivers/dax/super.c`).
        let flushed =
            || self.domain == PersistenceDomain::CpuCache || self.file.sysfs.write_cache(self.file.dev);
        Ok(!self.file.device && flushed())
    }
}

/// Plain `MAP_SHARED` would let some file systems accept and ignore `MAP_SYNC`.
impl FileMediumImpl for MapSync {
    fn check_place(file: &OpenFile, _: usize, _: &FileOptions) -> Result<()> {
        match file.memory_file_system()? {
            Some(_) => Err(Error::NotDax { path: file.path.clone() }),
            None => Ok(()),
        }
    }

    fn attach(file: OpenFile, options: &FileOptions) -> Result<Self, Refused> {
        let result = (|| {
            if let Some(driver) = file.foreign_dax_driver() {
                return Err(Error::DeviceMode { path: file.path.clone(), driver });
            }
            // A device can't be mapped beyond its end.
            let reserve = if file.device { file.len } else { options.reserve(file.len) };
            let map = match file.map(reserve, Sharing::Sync) {
                Ok(map) => map,
                Err(MapError::NotSupported) => return Err(Error::NotDax { path: file.path.clone() }),
                Err(MapError::Other(error)) => return Err(error),
            };
            let finding = file.sysfs.domain(file.dev, file.device);
            let domain = finding.domain.or(options.domain).ok_or_else(|| Error::NoPersistenceDomain {
                path: file.path.clone(),
                looked_at: finding.looked_at.display().to_string(),
            })?;
            let flusher = match domain {
                PersistenceDomain::CpuCache => Flusher::nothing(),
                PersistenceDomain::MemoryController => Flusher::detect()?,
            };
            Ok((map, flusher, domain))
        })();
        match result {
            Ok((map, flusher, domain)) => {
                let shutdowns = file.shutdowns();
                Ok(MapSync { file, map, flusher, domain, shutdowns })
            }
            Err(error) => Err(Refused { error, file }),
        }
    }

    fn file(&self) -> &OpenFile {
        &self.file
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flush::PAGE;
    use crate::medium::sysfs::tests::Tree;
    use crate::options::Options;

    const DISK: &str = "devices/ndbus0/region0/pfn0.1/block/pmem0";

    /// On an ordinary file, which stands in for one with `MAP_SYNC`.
    fn medium(tree: &Tree, domain: PersistenceDomain, device: bool) -> MapSync {
        let path = tree.0.path().join("file");
        std::fs::write(&path, [0; PAGE]).unwrap();
        let mut file = OpenFile::open(&path, Access::Write, Options::new().file()).unwrap();
        (file.dev, file.sysfs) = ((259, 1), tree.sysfs());
        let Ok(map) = file.map(PAGE, Sharing::Shared) else { panic!("it can be mapped") };
        file.device = device;
        MapSync { file, map, flusher: Flusher::nothing(), domain, shutdowns: None }
    }

    #[test]
    fn fsync_makes_caches_durable_only_where_the_kernel_flushes_them() {
        use PersistenceDomain::{CpuCache, MemoryController};
        for (text, flushes) in
            [(Some("1\n"), true), (Some("0\n"), false), (Some("?\n"), false), (None, false)]
        {
            let tree = Tree::new();
            tree.link("dev/block/259:1", &format!("{DISK}/pmem0p1"))
                .file(&format!("{DISK}/pmem0p1/partition"), "1\n");
            if let Some(text) = text {
                tree.file(&format!("{DISK}/dax/write_cache"), text);
            }
            assert_eq!(medium(&tree, MemoryController, false).settle(None).unwrap(), flushes, "{text:?}");
            assert!(medium(&tree, CpuCache, false).settle(None).unwrap(), "no cache is to be flushed");
            assert!(!medium(&tree, MemoryController, true).settle(None).unwrap(), "a device has no fsync");
        }
    }

    /// A device in famfs mode has no `mmap`; the file that stands in for it here has one.
    #[test]
    fn a_device_in_famfs_mode_is_refused_with_its_driver() {
        let tree = Tree::new();
        let region = "devices/ndbus0/region3/dax3.1/dax3.0";
        tree.link("dev/char/252:1", region).link(&format!("{region}/driver"), "bus/dax/drivers/fsdev_dax");
        let path = tree.0.path().join("file");
        let refused = |auto| {
            std::fs::write(&path, [0; PAGE]).unwrap();
            let mut file = OpenFile::open(&path, Access::Write, Options::new().file()).unwrap();
            (file.device, file.dev, file.sysfs) = (true, (252, 1), tree.sysfs());
            let attached = match auto {
                true => Auto::attach(file, Options::new().file()).map(drop),
                false => MapSync::attach(file, Options::new().file()).map(drop),
            };
            attached.map_err(|refused| refused.error)
        };
        for auto in [false, true] {
            let error = refused(auto).unwrap_err();
            assert!(matches!(&error, Error::DeviceMode { driver, .. } if driver == "fsdev_dax"), "{error}");
        }
    }
}
