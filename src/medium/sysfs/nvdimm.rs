//! The modules behind a device: their bad blocks, how often they lost power without saving everything, and
//! the flush of their controllers' own buffers.
//!
//! Sources, all of Linux: `block/badblocks.c`, `badblocks_show` (lines `FIRST-SECTOR COUNT`, in sectors of 512
//! bytes from the start of the disk or NVDIMM region); `block/genhd.c` (`badblocks` of a disk) and
//! `Documentation/ABI/stable/sysfs-block` (`start` of a partition, in sectors of 512 bytes);
//! `drivers/nvdimm/region_devs.c` (`mappings`, `mappingN` as `nmemX,START,SIZE`; `badblocks`; `resource`, for
//! root only; `deep_flush`, which shows 0 where there is nothing to do and takes a 1 where there is);
//! `drivers/acpi/nfit/core.c` (`nfit/dirty_shutdown`, only where the firmware has such a count) and
//! `Documentation/ABI/testing/sysfs-bus-nfit` (`nfit/id`); `drivers/cxl/pmem.c` (`cxl/dirty_shutdown`, only where
//! the device has such a count and can be told to keep it, and `cxl/id`, its serial number). PMDK reads the same through libndctl
//! (`src/libpmem2/badblocks_ndctl.c`, `usc_ndctl.c`, `deep_flush_linux.c`).

use super::{Sysfs, below};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// The unit of the lists, in bytes.
const SECTOR: u64 = 512;

/// How often the modules of a region lost power without saving everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shutdowns {
    /// Summed over the modules.
    pub count: u64,
    /// A hash of the modules' identities.
    pub memory: u64,
}

impl Sysfs {
    /// The bad blocks of a block device (`char` false) or a device-DAX device, in bytes from its start; `None`
    /// if that can't be found out.
    pub(crate) fn bad_blocks(&self, dev: (u32, u32), char: bool) -> Option<Vec<Range<u64>>> {
        let device = fs::canonicalize(self.device(if char { "char" } else { "block" }, dev)).ok()?;
        if char { self.bad_blocks_of_dax(&device) } else { bad_blocks_of_block(&device, 0) }
    }

    fn bad_blocks_of_dax(&self, device: &Path) -> Option<Vec<Range<u64>>> {
        let region = self.region_above(device)?;
        let bad = read_bad_blocks(&region)?;
        if bad.is_empty() {
            return Some(bad);
        }
        let start = address(&region)?;
        // The nearest address is the device's own; the namespace's includes what describes it.
        let own = device.ancestors().take_while(|folder| *folder != region).find_map(address)?;
        Some(shifted(bad, own.checked_sub(start)?))
    }

    /// The unsafe-shutdown count of the modules behind a device; `None` if one of them has none.
    pub(crate) fn shutdowns(&self, dev: (u32, u32), char: bool) -> Option<Shutdowns> {
        let region = self.region(dev, char)?;
        let modules: u32 = read(&region.join("mappings"))?.parse().ok()?;
        let (mut count, mut identities) = (0_u64, Xxh3::new());
        for index in 0..modules {
            let mapping = read(&region.join(format!("mapping{index}")))?;
            let module = self.root.join("bus/nd/devices").join(mapping.split(',').next()?);
            let (dirty, id) = module_shutdowns(&module)?;
            count = count.saturating_add(dirty);
            identities.update(id.as_bytes());
            identities.update(b"\n");
        }
        (modules > 0).then(|| Shutdowns { count, memory: identities.digest() })
    }

    /// The attribute with which the memory controllers' own buffers are flushed.
    pub(crate) fn deep_flush(&self, dev: (u32, u32), char: bool) -> Option<PathBuf> {
        Some(self.region(dev, char)?.join("deep_flush"))
    }

    /// The folder of the NVDIMM region that a device is in.
    fn region(&self, dev: (u32, u32), char: bool) -> Option<PathBuf> {
        let device = fs::canonicalize(self.device(if char { "char" } else { "block" }, dev)).ok()?;
        self.region_above(&device)
    }

    fn region_above(&self, device: &Path) -> Option<PathBuf> {
        let inside = device.ancestors().take_while(|folder| folder.starts_with(&self.root));
        inside.filter(|folder| is_region(folder)).map(Path::to_path_buf).next()
    }
}

/// The folders of a module in which its driver puts its attributes.
const DRIVERS: [&str; 2] = ["nfit", "cxl"];

/// A module's count, and what identifies it.
fn module_shutdowns(module: &Path) -> Option<(u64, String)> {
    let driver = DRIVERS.map(|driver| module.join(driver)).into_iter().find(|driver| driver.is_dir())?;
    Some((read(&driver.join("dirty_shutdown"))?.parse().ok()?, read(&driver.join("id"))?))
}

/// `nd_region_create` names them so.
fn is_region(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    let number = name.and_then(|name| name.strip_prefix("region"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn bad_blocks_of_block(device: &Path, depth: usize) -> Option<Vec<Range<u64>>> {
    // Where a volume's blocks lie on the devices below is not told: good if all of them are.
    let below = below(device);
    if !below.is_empty() {
        let good = |device: &PathBuf| {
            let device = fs::canonicalize(device).ok()?;
            bad_blocks_of_block(&device, depth + 1).filter(Vec::is_empty)
        };
        return if depth < 8 && below.iter().all(|device| good(device).is_some()) {
            Some(Vec::new())
        } else {
            None
        };
    }
    if !device.join("partition").exists() {
        return read_bad_blocks(device);
    }
    let start: u64 = read(&device.join("start"))?.parse().ok()?;
    Some(shifted(read_bad_blocks(device.parent()?)?, start.checked_mul(SECTOR)?))
}

/// The ranges as seen from `start`, without what lies before.
fn shifted(ranges: Vec<Range<u64>>, start: u64) -> Vec<Range<u64>> {
    let ranges = ranges.into_iter().filter(|range| range.end > start);
    ranges.map(|range| range.start.saturating_sub(start)..range.end - start).collect()
}

fn read_bad_blocks(folder: &Path) -> Option<Vec<Range<u64>>> {
    let text = fs::read_to_string(folder.join("badblocks")).ok()?;
    // The kernel cuts the list off after a page, in the middle of a line. What is there is bad all the same.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().filter(|line| !line.trim().is_empty()).map(bad_block).collect()
}

fn bad_block(line: &str) -> Option<Range<u64>> {
    let (first, count) = line.trim().split_once(' ')?;
    let first = first.parse::<u64>().ok()?.checked_mul(SECTOR)?;
    let len = count.parse::<u64>().ok()?.checked_mul(SECTOR)?;
    Some(first..first.checked_add(len)?)
}

/// The physical address in `resource`.
fn address(folder: &Path) -> Option<u64> {
    u64::from_str_radix(read(&folder.join("resource"))?.strip_prefix("0x")?, 16).ok()
}

fn read(file: &Path) -> Option<String> {
    Some(fs::read_to_string(file).ok()?.trim().to_string())
}
