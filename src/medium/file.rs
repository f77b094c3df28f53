//! Opening, locking, sizing and naming the file under a region.
//!
//! Everything that the kernel can answer here becomes a typed error, and nothing is changed before a file
//! is known to be ours.

use super::sysfs::Sysfs;
use super::{Map, MemoryFileSystem};
use crate::error::{Error, Result};
use crate::medium::map::{HUGE, PAGE};
use rustix::fs::{AtFlags, CWD, FallocateFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::{Errno, retry_on_intr};
use rustix::mm::MapFlags;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Magic numbers of `statfs(2)`.
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;
const HUGETLBFS: u64 = 0x9584_58f6;

/// A file or device that is open for reading and writing, and locked until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub file: File,
    pub path: PathBuf,
    /// Size in bytes, rounded down to whole pages.
    pub len: usize,
    /// Size in bytes, as the kernel says.
    pub exact_len: u64,
    /// Whether it is a device-DAX character device.
    pub device: bool,
    /// Device number: of the character device, or of the file system that holds the file.
    pub dev: (u32, u32),
}

impl OpenFile {
    /// Opens what is there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        match retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty())) {
            Ok(fd) => Self::from_file(File::from(fd), path),
            Err(errno) => Err(why_not_opened(path, errno)),
        }
    }

    fn from_file(file: File, path: &Path) -> Result<Self> {
        let io = |op| move |errno: Errno| Error::from_io(op, path, errno.into());
        let stat = rustix::fs::fstat(&file).map_err(io("fstat"))?;
        let number = |dev| (rustix::fs::major(dev), rustix::fs::minor(dev));
        let kind = FileType::from_raw_mode(stat.st_mode);
        let not_a_file = || Error::NotAFile { path: path.to_path_buf(), found: called(kind) };
        let (device, dev, exact_len) = match kind {
            FileType::RegularFile => (false, number(stat.st_dev), stat.st_size as u64),
            FileType::CharacterDevice => {
                let dev = number(stat.st_rdev);
                let len = Sysfs::default().device_dax_len(dev).ok_or_else(not_a_file)?;
                (true, dev, len)
            }
            _ => return Err(not_a_file()),
        };
        match retry_on_intr(|| rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(Error::Locked { path: path.to_path_buf() }),
            Err(errno) => return Err(io("flock")(errno)),
        }
        let len = usize::try_from(exact_len).unwrap_or(usize::MAX) & !(PAGE - 1);
        Ok(OpenFile { file, path: path.to_path_buf(), len, exact_len, device, dev })
    }

    /// The memory file system that the file is on, if it is on one.
    pub(crate) fn memory_file_system(&self) -> Result<Option<MemoryFileSystem>> {
        let stat = retry_on_intr(|| rustix::fs::fstatfs(&self.file))
            .map_err(|errno| Error::from_io("fstatfs", &self.path, errno.into()))?;
        Ok(match stat.f_type as u64 & 0xffff_ffff {
            TMPFS => Some(MemoryFileSystem::Tmpfs),
            RAMFS => Some(MemoryFileSystem::Ramfs),
            HUGETLBFS => Some(MemoryFileSystem::Hugetlbfs),
            _ => None,
        })
    }

    /// Maps the whole file, in address space for `max_len` bytes.
    pub(crate) fn map(&self, max_len: usize, flags: MapFlags) -> Result<Map, MapError> {
        // The kernel refuses a mapping of a device that begins elsewhere (Linux drivers/dax/device.c,
        // `check_vma`).
        let align = if self.device { Sysfs::default().device_dax_align(self.dev) } else { None };
        let map = Map::reserve_aligned(max_len.max(self.len), align.unwrap_or(HUGE).max(HUGE))
            .map_err(MapError::Other)?;
        match map.extend_file(self.len, &self.file, flags) {
            Ok(()) => Ok(map),
            Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                // mmap(2): MAP_SYNC that the file system can't give; EINVAL where MAP_SHARED_VALIDATE
                // itself is unknown (before Linux 4.15, and some special files).
                Some(Errno::OPNOTSUPP | Errno::INVAL) => Err(MapError::NotSupported),
                _ => Err(MapError::Other(Error::from_io("mmap", &self.path, error))),
            },
        }
    }

    /// Gives every byte up to `len` a block on the device; the size changes only if `extend` says so.
    pub(crate) fn allocate(&self, len: usize, extend: bool) -> Result<()> {
        if self.device {
            return Ok(());
        }
        let flags = if extend { FallocateFlags::empty() } else { FallocateFlags::KEEP_SIZE };
        match retry_on_intr(|| rustix::fs::fallocate(&self.file, flags, 0, len as u64)) {
            Ok(()) => Ok(()),
            Err(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => {
                Err(Error::DiskFull { path: self.path.clone(), needed: len as u64 })
            }
            Err(Errno::OPNOTSUPP) => Err(Error::Unsupported {
                path: self.path.clone(),
                what: "the file system has no fallocate, so a full disk could not be told in time; use ext4, XFS or another that has it",
            }),
            Err(errno) => Err(Error::from_io("fallocate", &self.path, errno.into())),
        }
    }

    /// Extends the file from `from` to `to` bytes with real blocks, durably, or leaves it as it was.
    pub(crate) fn extend(&self, from: usize, to: usize) -> Result<()> {
        if let Err(error) = self.allocate(to, true) {
            // A full disk may have lengthened the file in part (ext4 does).
            let _ = retry_on_intr(|| rustix::fs::ftruncate(&self.file, from as u64));
            return Err(error);
        }
        self.sync().map_err(|error| Error::Poisoned { reason: error.to_string() })
    }

    /// `fsync`.
    pub(crate) fn sync(&self) -> Result<()> {
        if self.device {
            return Ok(());
        }
        retry_on_intr(|| rustix::fs::fsync(&self.file))
            .map_err(|errno| Error::from_io("fsync", &self.path, errno.into()))
    }
}

/// The folder that holds `path`.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// What errors call a file of this type.
fn called(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a folder",
        FileType::CharacterDevice => "a character device that is not device DAX",
        FileType::BlockDevice => "a block device",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        _ => "neither a file nor a device",
    }
}

/// The typed error for what `open` answered: what is in the way, if it is not the file itself.
fn why_not_opened(path: &Path, errno: Errno) -> Error {
    let folder = folder_of(path);
    match (errno, std::fs::read_link(path)) {
        (Errno::NOENT, Ok(target)) => Error::DanglingSymlink { path: path.to_path_buf(), target },
        (Errno::NOENT | Errno::NOTDIR, _) if !folder.is_dir() => Error::NoFolder { path: folder },
        // open(2): a socket, or a device without a driver.
        (Errno::NXIO, _) => match rustix::fs::stat(path).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
            Ok(kind) => Error::NotAFile { path: path.to_path_buf(), found: called(kind) },
            Err(errno) => Error::from_io("stat", path, errno.into()),
        },
        _ => Error::from_io("open", path, errno.into()),
    }
}

/// The typed error for what stands where a new region is to be.
fn why_not_free(path: &Path) -> Error {
    match rustix::fs::stat(path).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
        Ok(FileType::RegularFile) => Error::Exists { path: path.to_path_buf() },
        Ok(kind) => Error::NotAFile { path: path.to_path_buf(), found: called(kind) },
        Err(errno) => why_not_opened(path, errno),
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        // Closing alone would not do: while another thread of this process is between fork and exec, its child
        // has the open file too, and the lock belongs to that (flock(2)).
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

/// Why a file was not mapped.
pub(crate) enum MapError {
    /// Not with these flags.
    NotSupported,
    /// Not at all.
    Other(Error),
}

/// A file without its final name: nobody else can open it, and it is gone if it is dropped before
/// [`Unnamed::name`].
pub(crate) struct Unnamed {
    target: PathBuf,
    folder: PathBuf,
    /// The temporary name, where the file system has no unnamed files.
    temporary: Option<PathBuf>,
}

impl Unnamed {
    /// A new, locked file of `len` bytes with real blocks, in the folder of `target`.
    pub(crate) fn create(target: &Path, len: usize, mode: u32) -> Result<(Self, OpenFile)> {
        if target.symlink_metadata().is_ok() {
            return Err(why_not_free(target));
        }
        let folder = folder_of(target);
        let mode = Mode::from_raw_mode(mode);
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let mut this = Unnamed { target: target.to_path_buf(), folder, temporary: None };
        let fd = match retry_on_intr(|| rustix::fs::open(&this.folder, flags | OFlags::TMPFILE, mode)) {
            Ok(fd) => fd,
            // open(2): a file system without O_TMPFILE, or a kernel that takes it for O_DIRECTORY.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => this.open_temporary(flags, mode)?,
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(Error::NoFolder { path: this.folder.clone() }),
            Err(errno) => return Err(Error::from_io("open", &this.folder, errno.into())),
        };
        let mut file = OpenFile::from_file(File::from(fd), target)?;
        file.allocate(len, true)?;
        file.len = len;
        file.exact_len = len as u64;
        Ok((this, file))
    }

    fn open_temporary(&mut self, flags: OFlags, mode: Mode) -> Result<rustix::fd::OwnedFd> {
        let name = self.target.file_name().unwrap_or_default().to_os_string();
        for attempt in 0..1_000_u32 {
            let mut hidden = std::ffi::OsString::from(".");
            hidden.push(&name);
            hidden.push(format!(".{}.{attempt}.new", std::process::id()));
            let path = self.folder.join(hidden);
            let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
            match retry_on_intr(|| rustix::fs::open(&path, flags, mode)) {
                Ok(fd) => {
                    self.temporary = Some(path);
                    return Ok(fd);
                }
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(Error::from_io("open", &path, errno.into())),
            }
        }
        Err(Error::Exists { path: self.target.clone() })
    }

    /// Syncs the file, gives it its name, which must be free, and syncs the folder.
    pub(crate) fn name(mut self, file: &OpenFile) -> Result<()> {
        file.sync()?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let folder = retry_on_intr(|| rustix::fs::open(&self.folder, flags, Mode::empty()))
            .map_err(|errno| Error::from_io("open", &self.folder, errno.into()))?;
        let result = match &self.temporary {
            Some(temporary) => {
                rustix::fs::renameat_with(CWD, temporary, CWD, &self.target, RenameFlags::NOREPLACE)
            }
            None => {
                use std::os::fd::AsRawFd;
                // open(2), "O_TMPFILE": the way to name an unnamed file without CAP_DAC_READ_SEARCH.
                let open = format!("/proc/self/fd/{}", file.file.as_raw_fd());
                rustix::fs::linkat(CWD, open, CWD, &self.target, AtFlags::SYMLINK_FOLLOW)
            }
        };
        result.map_err(|errno| match errno {
            // The folder is open: it is procfs that is missing, and "make it with `create`" would not help.
            Errno::NOENT => Error::Io { op: "linkat", path: self.target.clone(), source: errno.into() },
            errno => Error::from_io("linkat", &self.target, errno.into()),
        })?;
        self.temporary = None;
        // The file is whole and has its name, but a power failure might take the name away again: the
        // caller is told that it failed, and so the name goes.
        retry_on_intr(|| rustix::fs::fsync(&folder)).map_err(|errno| {
            let _ = rustix::fs::unlink(&self.target);
            Error::from_io("fsync", &self.folder, errno.into())
        })
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = rustix::fs::unlink(temporary);
        }
    }
}
