//! A file system that is filled, and files in it whose blocks are missing or are another file's too.

use crate::{Checked, text};
use rustix::fs::{FallocateFlags, IFlags};
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

pub const PAGE: usize = 4096;

/// Bytes of blocks that a file could have. (What statfs says of btrfs counts what only metadata may have.)
pub fn free(folder: &Path) -> Checked<u64> {
    let path = folder.join("probe");
    let Ok(file) = File::create(&path) else { return Ok(0) };
    let free = take(&file, 0);
    remove(&path)?;
    Ok(free)
}

/// Gives a file of `from` bytes all blocks that are left; its length then.
fn take(file: &File, from: u64) -> u64 {
    let (mut at, mut step) = (from, 64 << 20);
    while step >= PAGE as u64 {
        match rustix::fs::fallocate(file, FallocateFlags::empty(), at, step) {
            Ok(()) => at += step,
            Err(_) => step /= 2,
        }
    }
    at
}

/// Takes all room but so many bytes, for a file that may be there already; with `leave` 0, also what is kept back
/// for metadata and given to small files.
pub fn fill(folder: &Path, leave: u64) -> Checked<PathBuf> {
    let path = folder.join("filler");
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(text)?;
    let mut at = take(&file, file.metadata().map_err(text)?.len());
    if leave > 0 {
        file.set_len(at.checked_sub(leave).ok_or("less is free already")?).map_err(text)?;
        rustix::fs::syncfs(&file).map_err(text)?;
        return Ok(path);
    }
    while file.write_all_at(&[1; PAGE], at).is_ok() {
        at += PAGE as u64;
    }
    let _ = file.sync_all(); // it may have promised more than there is
    Ok(path)
}

pub fn remove(path: &Path) -> Checked {
    // XFS gives the room of a removed file back later, of a truncated one at once.
    File::options().write(true).open(path).and_then(|file| file.set_len(0)).map_err(text)?;
    std::fs::remove_file(path).map_err(text)?;
    // btrfs gives the room back with its next transaction.
    let folder = File::open(path.parent().ok_or("no folder")?).map_err(text)?;
    rustix::fs::syncfs(&folder).map_err(text)
}

/// A copy in which pages of zeros are holes.
pub fn copy_sparsely(from: &Path, to: &Path) -> Checked {
    let bytes = std::fs::read(from).map_err(text)?;
    let file = new_as(from, to)?;
    file.set_len(bytes.len() as u64).map_err(text)?;
    for (index, page) in bytes.chunks(PAGE).enumerate().filter(|(_, page)| page.iter().any(|&byte| byte != 0))
    {
        file.write_all_at(page, (index * PAGE) as u64).map_err(text)?;
    }
    file.sync_all().map_err(text)?;
    if has_blocks(to)? { Err("the copy has no holes".into()) } else { Ok(()) }
}

/// A copy that shares its blocks; `false` where the file system has none.
pub fn share(from: &Path, to: &Path) -> Checked<bool> {
    let source = File::open(from).map_err(text)?;
    let file = new_as(from, to)?;
    match rustix::fs::ioctl_ficlone(&file, &source) {
        Ok(()) => file.sync_all().map(|()| true).map_err(text),
        Err(rustix::io::Errno::OPNOTSUPP) => std::fs::remove_file(to).map(|()| false).map_err(text),
        Err(errno) => Err(format!("FICLONE: {errno}")),
    }
}

/// A new file that is written in place if `from` is (btrfs shares blocks between two of a kind only).
fn new_as(from: &Path, to: &Path) -> Checked<File> {
    let file = File::create_new(to).map_err(text)?;
    if writes_in_place(from)? {
        let flags = rustix::fs::ioctl_getflags(&file).map_err(text)?;
        rustix::fs::ioctl_setflags(&file, flags | IFlags::NOCOW).map_err(text)?;
    }
    Ok(file)
}

/// Whether the file has btrfs's attribute `C`.
pub fn writes_in_place(path: &Path) -> Checked<bool> {
    let file = File::open(path).map_err(text)?;
    Ok(rustix::fs::ioctl_getflags(&file).map_err(text)?.contains(IFlags::NOCOW))
}

/// A new folder whose files get an attribute of `chattr`; `false` where the file system has none such.
pub fn new_folder_with(path: &Path, attribute: u32) -> Checked<bool> {
    std::fs::create_dir(path).map_err(text)?;
    let folder = File::open(path).map_err(text)?;
    let flags = rustix::fs::ioctl_getflags(&folder).map_err(text)? | IFlags::from_bits_retain(attribute);
    let _ = rustix::fs::ioctl_setflags(&folder, flags);
    Ok(rustix::fs::ioctl_getflags(&folder).map_err(text)?.contains(flags))
}

/// Whether there are as many blocks as bytes.
pub fn has_blocks(path: &Path) -> Checked<bool> {
    let metadata = path.metadata().map_err(text)?;
    Ok(metadata.blocks() * 512 >= metadata.len())
}
