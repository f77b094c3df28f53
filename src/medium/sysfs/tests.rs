//! Made-up trees, laid out as the kernel lays out its own (sources at the head of `mod.rs` and `nvdimm.rs`).

use super::*;
use std::os::unix::fs::symlink;

const REGION: &str = "devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0012:00/ndbus0/region0";

pub(crate) struct Tree(pub(crate) tempfile::TempDir);

impl Tree {
    pub(crate) fn new() -> Self {
        let tree = Tree(tempfile::tempdir().unwrap());
        fs::create_dir_all(tree.0.path().join("dev/block")).unwrap();
        fs::create_dir_all(tree.0.path().join("dev/char")).unwrap();
        tree
    }
    pub(crate) fn file(&self, path: &str, text: &str) -> &Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }
    pub(crate) fn link(&self, from: &str, to: &str) -> &Self {
        let to = self.0.path().join(to);
        fs::create_dir_all(&to).unwrap();
        symlink(to, self.0.path().join(from)).unwrap();
        self
    }
    pub(crate) fn sysfs(&self) -> Sysfs {
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
fn the_kernel_flushes_what_all_devices_of_a_volume_are_flushed_for() {
    let tree = Tree::new();
    tree.file("devices/a/block/pmem0/dax/write_cache", "1\n")
        .file("devices/b/block/pmem1/dax/write_cache", "1\n")
        .link("dev/block/259:0", "devices/a/block/pmem0")
        .link("dev/block/253:0", "devices/virtual/block/dm-0");
    assert!(tree.sysfs().write_cache((259, 0)));
    assert!(!tree.sysfs().write_cache((259, 9)), "no such device");
    assert!(!tree.sysfs().write_cache((253, 0)), "a volume that says nothing of what it is made of");
    fs::create_dir_all(tree.0.path().join("devices/virtual/block/dm-0/slaves")).unwrap();
    tree.link("devices/virtual/block/dm-0/slaves/pmem0", "devices/a/block/pmem0")
        .link("devices/virtual/block/dm-0/slaves/pmem1", "devices/b/block/pmem1");
    assert!(tree.sysfs().write_cache((253, 0)));
    tree.file("devices/b/block/pmem1/dax/write_cache", "0\n");
    assert!(!tree.sysfs().write_cache((253, 0)));
}

#[test]
fn the_size_of_a_device_dax_device_is_read_and_other_devices_are_not_taken_for_one() {
    let tree = Tree::new();
    tree.file(&format!("{REGION}/dax0.1/dax0.0/size"), "535822336\n")
        .link("dev/char/252:1", &format!("{REGION}/dax0.1/dax0.0"))
        .link(&format!("{REGION}/dax0.1/dax0.0/subsystem"), "bus/dax")
        .file("devices/virtual/mem/null/size", "1\n")
        .link("devices/virtual/mem/null/subsystem", "class/mem")
        .link("dev/char/1:3", "devices/virtual/mem/null");
    assert_eq!(tree.sysfs().device_dax_len((252, 1)), Some(535_822_336));
    assert_eq!(tree.sysfs().device_dax_len((1, 3)), None);
    assert_eq!(tree.sysfs().device_dax_len((1, 9)), None);
}

/// An NVDIMM region of two modules, with a namespace for a file system that has a partition, and one for device
/// DAX that begins 32 MiB into the region.
fn modules() -> Tree {
    let tree = Tree::new();
    tree.file(&format!("{REGION}/mappings"), "2\n")
        .file(&format!("{REGION}/mapping0"), "nmem0,0,268435456\n")
        .file(&format!("{REGION}/mapping1"), "nmem1,268435456,268435456\n")
        .file(&format!("{REGION}/resource"), "0x100000000\n")
        .file(&format!("{REGION}/badblocks"), "")
        .file(&format!("{REGION}/deep_flush"), "1\n")
        .file("bus/nd/devices/nmem0/nfit/dirty_shutdown", "3\n")
        .file("bus/nd/devices/nmem0/nfit/id", "8089-a2-1749-00000e6c\n")
        .file("bus/nd/devices/nmem1/nfit/dirty_shutdown", "4\n")
        .file("bus/nd/devices/nmem1/nfit/id", "8089-a2-1749-00000e6d\n")
        .link("dev/block/259:0", &format!("{REGION}/pfn0.1/block/pmem0"))
        .file(&format!("{REGION}/pfn0.1/block/pmem0/badblocks"), "")
        .link("dev/block/259:1", &format!("{REGION}/pfn0.1/block/pmem0/pmem0p1"))
        .file(&format!("{REGION}/pfn0.1/block/pmem0/pmem0p1/partition"), "1\n")
        .file(&format!("{REGION}/pfn0.1/block/pmem0/pmem0p1/start"), "2048\n")
        .link("dev/char/252:1", &format!("{REGION}/dax0.1/dax0.0"))
        .file(&format!("{REGION}/dax0.1/resource"), "0x102000000\n");
    tree
}

#[test]
fn bad_blocks_of_a_disk_are_told_in_bytes_and_of_a_partition_from_its_start() {
    let tree = modules();
    let sysfs = tree.sysfs();
    assert_eq!(sysfs.bad_blocks((259, 0), false), Some(vec![]));
    assert_eq!(sysfs.bad_blocks((259, 1), false), Some(vec![]));
    tree.file(&format!("{REGION}/pfn0.1/block/pmem0/badblocks"), "16 8\n2040 16\n4096 1\n");
    let disk = [16 * 512..24 * 512, 2040 * 512..2056 * 512, 4096 * 512..4097 * 512];
    assert_eq!(sysfs.bad_blocks((259, 0), false), Some(disk.to_vec()));
    let partition = [0..8 * 512, 2048 * 512..2049 * 512];
    assert_eq!(sysfs.bad_blocks((259, 1), false), Some(partition.to_vec()));
}

#[test]
fn bad_blocks_of_a_device_dax_device_are_those_of_its_region_from_its_own_address() {
    let tree = modules();
    let sysfs = tree.sysfs();
    assert_eq!(sysfs.bad_blocks((252, 1), true), Some(vec![]));
    // 32 MiB are 65536 sectors.
    tree.file(&format!("{REGION}/badblocks"), "8 8\n65536 8\n65600 2\n");
    assert_eq!(sysfs.bad_blocks((252, 1), true), Some(vec![0..4096, 64 * 512..66 * 512]));
    // The device's own address is nearer than the namespace's.
    tree.file(&format!("{REGION}/dax0.1/dax0.0/resource"), "0x102008000\n");
    assert_eq!(sysfs.bad_blocks((252, 1), true), Some(Vec::from([0..1024; 1])));
    // Who may not read the addresses is not told that all is well.
    fs::remove_file(tree.0.path().join(format!("{REGION}/resource"))).unwrap();
    assert_eq!(sysfs.bad_blocks((252, 1), true), None);
}

#[test]
fn a_list_of_bad_blocks_that_the_kernel_cut_off_is_used_as_far_as_it_goes() {
    let tree = modules();
    tree.file(&format!("{REGION}/pfn0.1/block/pmem0/badblocks"), "16 8\n40 1\n12345");
    assert_eq!(tree.sysfs().bad_blocks((259, 0), false), Some(vec![16 * 512..24 * 512, 40 * 512..41 * 512]));
}

#[test]
fn where_there_is_no_list_of_bad_blocks_nothing_is_known() {
    let tree = Tree::new();
    tree.link("dev/block/8:0", "devices/pci/block/sda")
        .link("dev/char/252:1", "devices/platform/hmem/dax0.0");
    assert_eq!(tree.sysfs().bad_blocks((8, 0), false), None);
    assert_eq!(tree.sysfs().bad_blocks((8, 16), false), None);
    assert_eq!(tree.sysfs().bad_blocks((252, 1), true), None);
}

#[test]
fn a_mapped_volume_has_no_bad_blocks_if_none_of_its_devices_has() {
    let tree = modules();
    tree.link("dev/block/253:0", "devices/virtual/block/dm-0")
        .file("devices/virtual/block/dm-0/badblocks", "\n");
    fs::create_dir_all(tree.0.path().join("devices/virtual/block/dm-0/slaves")).unwrap();
    tree.link("devices/virtual/block/dm-0/slaves/pmem0", &format!("{REGION}/pfn0.1/block/pmem0"));
    assert_eq!(tree.sysfs().bad_blocks((253, 0), false), Some(vec![]));
    tree.file(&format!("{REGION}/pfn0.1/block/pmem0/badblocks"), "16 8\n");
    assert_eq!(tree.sysfs().bad_blocks((253, 0), false), None);
}

#[test]
fn unsafe_shutdowns_are_summed_over_the_modules_of_the_region() {
    let tree = modules();
    let found = tree.sysfs().shutdowns((259, 0), false).unwrap();
    assert_eq!(found.count, 7);
    for (dev, char) in [((259, 1), false), ((252, 1), true)] {
        assert_eq!(tree.sysfs().shutdowns(dev, char), Some(found));
    }
    // Another module is another memory, and a module without a count is none that can be relied on.
    tree.file("bus/nd/devices/nmem1/nfit/id", "8089-a2-1749-00000e6e\n");
    let other = tree.sysfs().shutdowns((259, 0), false).unwrap();
    assert!(other.count == 7 && other.memory != found.memory);
    fs::remove_file(tree.0.path().join("bus/nd/devices/nmem1/nfit/dirty_shutdown")).unwrap();
    assert_eq!(tree.sysfs().shutdowns((259, 0), false), None);
}

#[test]
fn a_region_without_modules_has_no_unsafe_shutdown_count() {
    let tree = modules();
    tree.file(&format!("{REGION}/mappings"), "0\n");
    assert_eq!(tree.sysfs().shutdowns((259, 0), false), None);
    assert_eq!(tree.sysfs().shutdowns((8, 0), false), None);
}

#[test]
fn the_deep_flush_of_a_device_is_its_regions() {
    let tree = modules();
    let expected = fs::canonicalize(tree.0.path().join(format!("{REGION}/deep_flush"))).unwrap();
    assert_eq!(tree.sysfs().deep_flush((252, 1), true), Some(expected));
    assert_eq!(tree.sysfs().deep_flush((8, 0), false), None);
}

/// A region of two CXL memory devices, as `drivers/cxl/pmem.c` shows them: the serial number in decimal.
fn cxl() -> Tree {
    let tree = Tree::new();
    let region = "devices/platform/ACPI0017:00/root0/nvdimm-bridge0/ndbus0/region5";
    tree.file(&format!("{region}/mappings"), "2\n")
        .file(&format!("{region}/mapping0"), "nmem4,0,268435456,0\n")
        .file(&format!("{region}/mapping1"), "nmem5,0,268435456,1\n")
        .file(&format!("{region}/persistence_domain"), "memory_controller\n")
        .file("bus/nd/devices/nmem4/cxl/dirty_shutdown", "5\n")
        .file("bus/nd/devices/nmem4/cxl/id", "4660\n")
        .file("bus/nd/devices/nmem4/cxl/provider", "pmem0\n")
        .file("bus/nd/devices/nmem5/cxl/dirty_shutdown", "0\n")
        .file("bus/nd/devices/nmem5/cxl/id", "4661\n")
        .file("bus/nd/devices/nmem5/cxl/provider", "pmem1\n")
        .link("dev/block/259:7", &format!("{region}/pfn5.0/block/pmem5"))
        .link("dev/char/252:7", &format!("{region}/dax5.0/dax5.0"));
    tree
}

#[test]
fn cxl_memory_has_an_unsafe_shutdown_count_too() {
    let tree = cxl();
    let found = tree.sysfs().shutdowns((259, 7), false).expect("both devices have one");
    assert_eq!(found.count, 5);
    assert_eq!(tree.sysfs().shutdowns((252, 7), true), Some(found));
    tree.file("bus/nd/devices/nmem5/cxl/dirty_shutdown", "1\n");
    let later = tree.sysfs().shutdowns((259, 7), false).unwrap();
    assert_eq!((later.count, later.memory), (6, found.memory));
    // Another device is another memory; one that can't count has no attribute, and then nothing is known.
    tree.file("bus/nd/devices/nmem5/cxl/id", "4662\n");
    assert_ne!(tree.sysfs().shutdowns((259, 7), false).unwrap().memory, found.memory);
    fs::remove_file(tree.0.path().join("bus/nd/devices/nmem4/cxl/dirty_shutdown")).unwrap();
    assert_eq!(tree.sysfs().shutdowns((259, 7), false), None);
}

#[test]
fn a_device_that_only_file_systems_may_use_is_known_by_its_driver() {
    let tree = cxl();
    let device = fs::canonicalize(tree.0.path().join("dev/char/252:7")).unwrap();
    // As before Linux 5.1: no driver is named.
    assert_eq!(tree.sysfs().foreign_dax_driver((252, 7)), None);
    for (driver, foreign) in [("device_dax", None), ("fsdev_dax", Some("fsdev_dax".to_string()))] {
        let _ = fs::remove_file(device.join("driver"));
        let to = tree.0.path().join("bus/dax/drivers").join(driver);
        fs::create_dir_all(&to).unwrap();
        symlink(to, device.join("driver")).unwrap();
        assert_eq!(tree.sysfs().foreign_dax_driver((252, 7)), foreign);
    }
}
