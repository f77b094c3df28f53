//! What sysfs says of persistent memory: the persistence domain behind a file or device, the size of a
//! device-DAX device, and (in `nvdimm`) the health of the modules. The root is a parameter, so that all of it
//! is tested on made-up trees.
//!
//! Sources: Linux `Documentation/ABI/testing/sysfs-bus-nd` and `drivers/nvdimm/region_devs.c`
//! (`persistence_domain` of a region: `cpu_cache`, `memory_controller`, or absent),
//! `Documentation/ABI/testing/sysfs-bus-dax`, `drivers/dax/bus.c` (`size` in bytes), `drivers/dax/super.c` (`dax_flush`,
//! which does nothing while `dax/write_cache` is 0), `Documentation/admin-guide/sysfs-rules.rst`.

mod nvdimm;
#[cfg(test)]
pub(crate) mod tests;

use super::{PersistenceDomain, folder};
pub(crate) use nvdimm::Shutdowns;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub(crate) struct Sysfs {
    root: PathBuf,
}

impl Default for Sysfs {
    fn default() -> Self {
        Sysfs { root: PathBuf::from("/sys") }
    }
}

/// The driver whose device-DAX devices can be mapped (`drivers/dax/device.c`). That of a device in famfs mode has no
/// `mmap` (`drivers/dax/fsdev.c`), and one that is used as ordinary memory has no device at all (`drivers/dax/kmem.c`).
const MAPPABLE: &str = "device_dax";

/// What was found out about a domain, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub domain: Option<PersistenceDomain>,
    pub looked_at: PathBuf,
}

impl Sysfs {
    #[cfg(test)]
    pub(crate) fn at(root: &Path) -> Self {
        Sysfs { root: root.to_path_buf() }
    }

    /// Size in bytes of the device-DAX character device with this number; `None` if it is not one.
    pub(crate) fn device_dax_len(&self, dev: (u32, u32)) -> Option<u64> {
        let device = self.device("char", dev);
        let subsystem = fs::canonicalize(device.join("subsystem")).ok()?;
        // "bus/dax" since Linux 5.1, "class/dax" before.
        if subsystem.file_name()? != "dax" {
            return None;
        }
        fs::read_to_string(device.join("size")).ok()?.trim().parse().ok()
    }

    /// The driver of a device-DAX device, where it is another than the one whose devices programs can map.
    pub(crate) fn foreign_dax_driver(&self, dev: (u32, u32)) -> Option<String> {
        let driver = fs::canonicalize(self.device("char", dev).join("driver")).ok()?;
        let name = driver.file_name()?.to_str()?;
        (name != MAPPABLE).then(|| name.to_string())
    }

    /// The persistence domain of the memory behind a block device (`char` false) or a device-DAX device.
    pub(crate) fn domain(&self, dev: (u32, u32), char: bool) -> Finding {
        self.domain_at(&self.device(if char { "char" } else { "block" }, dev), 0)
    }

    /// Whether the kernel's write-back (`fsync`) of files on this block device flushes the CPU's cache: not where
    /// `dax/write_cache` of the disk is 0, or of a disk below it. Where that can't be found out it is not relied on.
    pub(crate) fn write_cache(&self, dev: (u32, u32)) -> bool {
        fs::canonicalize(self.device("block", dev)).is_ok_and(|device| write_cache_of(&device, 0))
    }

    fn device(&self, kind: &str, (major, minor): (u32, u32)) -> PathBuf {
        self.root.join("dev").join(kind).join(format!("{major}:{minor}"))
    }

    fn domain_at(&self, device: &Path, depth: usize) -> Finding {
        let Ok(real) = fs::canonicalize(device) else {
            return Finding { domain: None, looked_at: device.to_path_buf() };
        };
        // A device-mapper volume is as good as the weakest of the devices below it.
        let below = below(&real);
        if !below.is_empty() && depth < 8 {
            let findings = below.iter().map(|device| self.domain_at(device, depth + 1));
            return findings
                .min_by_key(|finding| match finding.domain {
                    None => 0,
                    Some(PersistenceDomain::MemoryController) => 1,
                    Some(PersistenceDomain::CpuCache) => 2,
                })
                .unwrap_or(Finding { domain: None, looked_at: real });
        }
        // The namespace's device stands somewhere below its NVDIMM region.
        for folder in real.ancestors().take_while(|folder| folder.starts_with(&self.root)) {
            let file = folder.join("persistence_domain");
            if let Ok(text) = fs::read_to_string(&file) {
                let domain = match text.trim() {
                    "memory_controller" => Some(PersistenceDomain::MemoryController),
                    "cpu_cache" => Some(PersistenceDomain::CpuCache),
                    _ => None,
                };
                return Finding { domain, looked_at: file };
            }
        }
        Finding { domain: None, looked_at: real }
    }
}

fn write_cache_of(device: &Path, depth: usize) -> bool {
    let below = below(device);
    if !below.is_empty() {
        let flushes = |device: &PathBuf| {
            fs::canonicalize(device).is_ok_and(|device| write_cache_of(&device, depth + 1))
        };
        return depth < 8 && below.iter().all(flushes);
    }
    // A partition's disk is the folder above it.
    let disk = if device.join("partition").exists() { device.parent() } else { Some(device) };
    let text = disk.and_then(|disk| fs::read_to_string(disk.join("dax/write_cache")).ok());
    text.is_some_and(|text| text.trim() == "1")
}

/// The devices that a device-mapper volume is made of (`slaves`).
fn below(device: &Path) -> Vec<PathBuf> {
    let slaves = device.join("slaves");
    folder::names(&slaves).into_iter().map(|name| slaves.join(name)).collect()
}
