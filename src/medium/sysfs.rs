//! What sysfs says of persistent memory: the persistence domain behind a file or device, and the size of a
//! device-DAX device. The root is a parameter, so that all of it is tested on made-up trees.
//!
//! Sources: Linux `Documentation/ABI/testing/sysfs-bus-nd` and `drivers/nvdimm/region_devs.c`
//! (`persistence_domain` of a region: `cpu_cache`, `memory_controller`, or absent),
//! `Documentation/ABI/testing/sysfs-bus-dax`, `drivers/dax/bus.c` (`size` in bytes), `Documentation/admin-guide/sysfs-rules.rst`.

use super::PersistenceDomain;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) struct Sysfs {
    root: PathBuf,
}

impl Default for Sysfs {
    fn default() -> Self {
        Sysfs { root: PathBuf::from("/sys") }
    }
}

/// What was found out about a domain, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub domain: Option<PersistenceDomain>,
    pub looked_at: PathBuf,
}

impl Sysfs {
    #[cfg(test)]
    fn at(root: &Path) -> Self {
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

    /// What mappings of a device-DAX device must be aligned to, in bytes (`align`; 2 MiB where nothing else
    /// was asked for when the namespace was made).
    pub(crate) fn device_dax_align(&self, dev: (u32, u32)) -> Option<usize> {
        let align = fs::read_to_string(self.device("char", dev).join("align")).ok()?.trim().parse().ok()?;
        usize::is_power_of_two(align).then_some(align)
    }

    /// The persistence domain of the memory behind a block device (`char` false) or a device-DAX device.
    pub(crate) fn domain(&self, dev: (u32, u32), char: bool) -> Finding {
        self.domain_at(&self.device(if char { "char" } else { "block" }, dev), 0)
    }

    fn device(&self, kind: &str, (major, minor): (u32, u32)) -> PathBuf {
        self.root.join("dev").join(kind).join(format!("{major}:{minor}"))
    }

    fn domain_at(&self, device: &Path, depth: usize) -> Finding {
        let Ok(real) = fs::canonicalize(device) else {
            return Finding { domain: None, looked_at: device.to_path_buf() };
        };
        // A device-mapper volume is as good as the weakest of the devices below it.
        let below: Vec<PathBuf> = fs::read_dir(real.join("slaves"))
            .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
            .unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const REGION: &str = "devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0012:00/ndbus0/region0";

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Self {
            let tree = Tree(tempfile::tempdir().unwrap());
            fs::create_dir_all(tree.0.path().join("dev/block")).unwrap();
            fs::create_dir_all(tree.0.path().join("dev/char")).unwrap();
            tree
        }
        fn file(&self, path: &str, text: &str) -> &Self {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            self
        }
        fn link(&self, from: &str, to: &str) -> &Self {
            let to = self.0.path().join(to);
            fs::create_dir_all(&to).unwrap();
            symlink(to, self.0.path().join(from)).unwrap();
            self
        }
        fn sysfs(&self) -> Sysfs {
            Sysfs::at(&fs::canonicalize(self.0.path()).unwrap())
        }
    }

    #[test]
    fn the_domain_of_a_block_device_is_its_regions() {
        for (text, domain) in [
            ("memory_controller\n", Some(PersistenceDomain::MemoryController)),
            ("cpu_cache\n", Some(PersistenceDomain::CpuCache)),
            ("\n", None),
            ("something_new\n", None),
        ] {
            let tree = Tree::new();
            tree.file(&format!("{REGION}/persistence_domain"), text)
                .link("dev/block/259:0", &format!("{REGION}/pfn0.1/block/pmem0"));
            assert_eq!(tree.sysfs().domain((259, 0), false).domain, domain, "{text:?}");
        }
    }

    #[test]
    fn a_partition_and_a_device_dax_device_have_their_regions_domain() {
        let tree = Tree::new();
        tree.file(&format!("{REGION}/persistence_domain"), "memory_controller\n")
            .link("dev/block/259:1", &format!("{REGION}/pfn0.1/block/pmem0/pmem0p1"))
            .link("dev/char/252:1", &format!("{REGION}/dax0.1/dax0.0"));
        let domain = Some(PersistenceDomain::MemoryController);
        assert_eq!(tree.sysfs().domain((259, 1), false).domain, domain);
        assert_eq!(tree.sysfs().domain((252, 1), true).domain, domain);
    }

    #[test]
    fn memory_without_a_region_has_no_domain() {
        let tree = Tree::new();
        tree.link("dev/block/259:0", "devices/platform/e820_pmem/ndbus0/region0/namespace0.0/block/pmem0");
        assert_eq!(tree.sysfs().domain((259, 0), false).domain, None);
        assert_eq!(tree.sysfs().domain((8, 0), false).domain, None);
    }

    #[test]
    fn a_mapped_volume_is_as_good_as_its_weakest_device() {
        let tree = Tree::new();
        tree.file("devices/a/region0/persistence_domain", "cpu_cache\n")
            .file("devices/b/region1/persistence_domain", "memory_controller\n")
            .link("dev/block/253:0", "devices/virtual/block/dm-0");
        fs::create_dir_all(tree.0.path().join("devices/virtual/block/dm-0/slaves")).unwrap();
        tree.link("devices/virtual/block/dm-0/slaves/pmem0", "devices/a/region0/block/pmem0");
        assert_eq!(tree.sysfs().domain((253, 0), false).domain, Some(PersistenceDomain::CpuCache));
        tree.link("devices/virtual/block/dm-0/slaves/pmem1", "devices/b/region1/block/pmem1");
        assert_eq!(tree.sysfs().domain((253, 0), false).domain, Some(PersistenceDomain::MemoryController));
        tree.link("devices/virtual/block/dm-0/slaves/sda", "devices/pci/block/sda");
        assert_eq!(tree.sysfs().domain((253, 0), false).domain, None);
    }

    #[test]
    fn size_and_alignment_of_a_device_dax_device_are_read_and_other_devices_are_not_taken_for_one() {
        let tree = Tree::new();
        tree.file(&format!("{REGION}/dax0.1/dax0.0/size"), "535822336\n")
            .link("dev/char/252:1", &format!("{REGION}/dax0.1/dax0.0"))
            .link(&format!("{REGION}/dax0.1/dax0.0/subsystem"), "bus/dax")
            .file(&format!("{REGION}/dax0.1/dax0.0/align"), "1073741824\n")
            .file("devices/virtual/mem/null/size", "1\n")
            .link("devices/virtual/mem/null/subsystem", "class/mem")
            .link("dev/char/1:3", "devices/virtual/mem/null");
        assert_eq!(tree.sysfs().device_dax_len((252, 1)), Some(535_822_336));
        assert_eq!(tree.sysfs().device_dax_align((252, 1)), Some(1 << 30));
        assert_eq!(tree.sysfs().device_dax_align((1, 3)), None);
        assert_eq!(tree.sysfs().device_dax_len((1, 3)), None);
        assert_eq!(tree.sysfs().device_dax_len((1, 9)), None);
    }
}
