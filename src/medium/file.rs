//! [`OpenFile`]: opening, locking and sizing the file under a region.
//!
//! Everything that the kernel can answer here becomes a typed error, and nothing is changed before a file
//! is known to be ours. A lock belongs to the open file, which a child of `fork` shares with its parent: so
//! only the process that opened a file unlocks it. (A mapping alone would keep the lock too, without a descriptor that
//! a child inherits; but then nobody could unlock what a child between `fork` and `exec` still holds.)

use super::calls::{self, Call};
use super::entry::Entry;
use super::folder::folder_of;
use super::gaps::Gaps;
use super::map::Sharing;
use super::sysfs::Sysfs;
use super::{FileOptions, Map, MemoryFileSystem};
use crate::error::{Error, Result};
use crate::flush::PAGE;
use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, CWD, FallocateFlags, FileType, FlockOperation, IFlags, Mode, OFlags, Stat};
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Magic numbers of `statfs(2)`.
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;
const HUGETLBFS: u64 = 0x9584_58f6;
const BTRFS: u64 = 0x9123_683e;

/// `FS_NOCOMP_FL` (Linux `include/uapi/linux/fs.h`).
const NOT_COMPRESSED: IFlags = IFlags::from_bits_retain(0x400);

/// How often a file is opened again because its name led to another one by the time it was locked.
const ATTEMPTS: usize = 16;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reading and writing; nobody else has it.
    Write,
    /// Reading only; others may do so too.
    Read,
}

impl Access {
    fn flags(self) -> OFlags {
        match self {
            Access::Write => OFlags::RDWR,
            Access::Read => OFlags::RDONLY,
        }
    }

    fn lock(self) -> FlockOperation {
        match self {
            Access::Write => FlockOperation::NonBlockingLockExclusive,
            Access::Read => FlockOperation::NonBlockingLockShared,
        }
    }
}

/// A file or device that is open and locked until it is dropped.
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
    /// What it was when it was opened: its inode, mode and owner.
    pub stat: Stat,
    /// The process that opened it.
    process: u32,
    pub sysfs: Sysfs,
}

impl OpenFile {
    /// Opens what is there.
    ///
    /// Between opening and locking, another process may have put another file under the name, and the lock
    /// would be one of a file that nobody finds again. So the name is looked at once more, under the lock.
    pub(crate) fn open(path: &Path, access: Access, options: &FileOptions) -> Result<Self> {
        Self::open_in(CWD, path, path, access, options)
    }

    /// The same for a name in a folder that was looked up before.
    pub(crate) fn open_entry(entry: &Entry, access: Access, options: &FileOptions) -> Result<Self> {
        Self::open_in(entry.folder(), Path::new(entry.name()), entry.path(), access, options)
    }

    /// Opens `name` in `folder`; `path` is what errors call it.
    fn open_in(
        folder: BorrowedFd<'_>,
        name: &Path,
        path: &Path,
        access: Access,
        options: &FileOptions,
    ) -> Result<Self> {
        let flags = access.flags() | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        for _ in 0..ATTEMPTS {
            let fd = retry_on_intr(|| rustix::fs::openat(folder, name, flags, Mode::empty()))
                .map_err(|errno| why_not_opened(path, errno))?;
            let file = Self::from_file(File::from(fd), path, access)?;
            if file.is_found(rustix::fs::statat(folder, name, AtFlags::empty()))? {
                file.check_owner(options)?;
                return Ok(file);
            }
        }
        Err(Error::Locked { path: path.to_path_buf() })
    }

    /// Refuses a file that somebody else could change while it is mapped. A device is the administrator's
    /// business.
    fn check_owner(&self, options: &FileOptions) -> Result<()> {
        let (mode, owner) = (self.stat.st_mode & 0o7777, self.stat.st_uid);
        let user = rustix::process::geteuid().as_raw();
        if self.device {
            return Ok(());
        }
        if mode & 0o002 != 0 && !options.world_writable {
            return Err(Error::WorldWritable { path: self.path.clone(), mode });
        }
        if owner != user && !options.other_owner {
            return Err(Error::OtherOwner { path: self.path.clone(), owner, user });
        }
        Ok(())
    }

    /// Whether this name leads to this file.
    pub(crate) fn is_entry(&self, entry: &Entry) -> Result<bool> {
        self.is_found(entry.stat())
    }

    /// Whether what a name leads to is this file.
    fn is_found(&self, found: Result<Stat, Errno>) -> Result<bool> {
        match found {
            Ok(stat) => Ok(same_file(&stat, &self.stat)),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(Error::from_io("stat", &self.path, errno.into())),
        }
    }

    /// The name of this file, with no symbolic link on the way to it.
    pub(crate) fn entry(&self) -> Result<Entry> {
        let own = self.path.canonicalize().map_err(|error| Error::from_io("realpath", &self.path, error))?;
        Entry::at(&own)
    }

    /// Locks an open file; `path` is what errors call it.
    pub(crate) fn from_file(file: File, path: &Path, access: Access) -> Result<Self> {
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
        match retry_on_intr(|| rustix::fs::flock(&file, access.lock())) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(Error::Locked { path: path.to_path_buf() }),
            Err(errno) => return Err(io("flock")(errno)),
        }
        let len = usize::try_from(exact_len).unwrap_or(usize::MAX) & !(PAGE - 1);
        Ok(OpenFile {
            file,
            path: path.to_path_buf(),
            len,
            exact_len,
            device,
            dev,
            stat,
            process: std::process::id(),
            sysfs: Sysfs::default(),
        })
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

    /// Maps the file, over all that it may grow to.
    pub(crate) fn map(&self, max_len: usize, sharing: Sharing) -> Result<Map, MapError> {
        let reserved = max_len.max(self.len);
        Map::file(&self.file, self.len, reserved, sharing).map_err(|error| {
            match error.raw_os_error().map(Errno::from_raw_os_error) {
                // mmap(2): MAP_SYNC that the file system can't give; EINVAL where MAP_SHARED_VALIDATE
                // itself is unknown (before Linux 4.15, and some special files).
                Some(Errno::OPNOTSUPP | Errno::INVAL) => MapError::NotSupported,
                Some(Errno::NOMEM) => {
                    MapError::Other(Error::AddressSpace { len: reserved as u64, source: error })
                }
                _ => MapError::Other(Error::from_io("mmap", &self.path, error)),
            }
        })
    }

    /// Gives every byte up to `len` a block of its own on the device. The file's length and bytes stay as they are.
    pub(crate) fn fill(&self, len: usize) -> Result<()> {
        if self.device {
            return Ok(());
        }
        let len = len as u64;
        let gaps =
            Gaps::of(&self.file, len).map_err(|error| Error::from_io("FS_IOC_FIEMAP", &self.path, error))?;
        let Some(gaps) = gaps else { return self.fill_unseen(len) };
        if gaps.bytes() > 0 && gaps.bytes() > self.free_bytes()? {
            return Err(self.full(len)); // before what is free is used up in vain
        }
        // Blocks that a copy shares (`cp --reflink`) would need room when they are written, which is too late.
        for range in gaps.shared {
            match self.in_pieces(FallocateFlags::UNSHARE_RANGE | FallocateFlags::KEEP_SIZE, range.clone()) {
                // fallocate(2): EOPNOTSUPP where the file system can't do it by this call. btrfs can't.
                Err(Errno::OPNOTSUPP | Errno::INVAL) => self.rewrite(range, len)?,
                other => other.map_err(|errno| self.why_not_allocated(errno, len))?,
            }
        }
        for range in gaps.holes {
            self.fallocate(FallocateFlags::KEEP_SIZE, &range)
                .map_err(|errno| self.why_not_allocated(errno, len))?;
        }
        Ok(())
    }

    /// The same where the file system does not tell what is missing: it may be all, and is asked for.
    fn fill_unseen(&self, len: u64) -> Result<()> {
        let stat = rustix::fs::fstat(&self.file)
            .map_err(|errno| Error::from_io("fstat", &self.path, errno.into()))?;
        let allocated = match stat.st_blocks as u64 * 512 >= len {
            // Hardly anything is missing.
            true => self.in_pieces(FallocateFlags::KEEP_SIZE, 0..len),
            false => self.fallocate(FallocateFlags::KEEP_SIZE, &(0..len)),
        };
        allocated.map_err(|errno| self.why_not_allocated(errno, len))
    }

    /// Bytes that the file system could give to anybody.
    fn free_bytes(&self) -> Result<u64> {
        let stat = retry_on_intr(|| rustix::fs::fstatfs(&self.file))
            .map_err(|errno| Error::from_io("fstatfs", &self.path, errno.into()))?;
        Ok((stat.f_bfree as u64).saturating_mul(stat.f_bsize as u64))
    }

    fn fallocate(&self, flags: FallocateFlags, range: &Range<u64>) -> Result<(), Errno> {
        retry_on_intr(|| rustix::fs::fallocate(&self.file, flags, range.start, range.end - range.start))
    }

    /// `fallocate` of a range in which there are blocks already. XFS wants as much room as it is asked for all the
    /// same, and so it is asked for less at a time where there is not so much.
    fn in_pieces(&self, flags: FallocateFlags, mut range: Range<u64>) -> Result<(), Errno> {
        let mut most = range.end - range.start;
        while !range.is_empty() {
            let piece = range.start..range.end.min(range.start.saturating_add(most));
            match self.fallocate(flags, &piece) {
                Ok(()) => range.start = piece.end,
                Err(Errno::NOSPC) if most > PAGE as u64 => most = (most / 2).next_multiple_of(PAGE as u64),
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Writes what is there once more, which makes the file system give it blocks of its own.
    fn rewrite(&self, range: Range<u64>, len: u64) -> Result<()> {
        self.check_limit(range.end)?;
        let mut bytes = vec![0; 1 << 16];
        let mut at = range.start;
        while at < range.end {
            let piece = &mut bytes[..(range.end - at).min(1 << 16) as usize];
            self.file.read_exact_at(piece, at).map_err(|error| Error::from_io("pread", &self.path, error))?;
            self.file.write_all_at(piece, at).map_err(|error| self.why_not_written("pwrite", error, len))?;
            at += piece.len() as u64;
        }
        self.file.sync_all().map_err(|error| self.why_not_written("fsync", error, len))
    }

    fn why_not_written(&self, op: &'static str, error: io::Error, len: u64) -> Error {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOSPC | Errno::DQUOT) => self.full(len),
            _ => Error::from_io(op, &self.path, error),
        }
    }

    fn full(&self, needed: u64) -> Error {
        Error::DiskFull { path: self.path.clone(), needed }
    }

    fn why_not_allocated(&self, errno: Errno, needed: u64) -> Error {
        match errno {
            Errno::NOSPC | Errno::DQUOT | Errno::FBIG => self.full(needed),
            Errno::OPNOTSUPP => Error::Unsupported {
                path: self.path.clone(),
                what: "the file system has no fallocate, so a full disk could not be told in time; use ext4, XFS or another that has it",
            },
            errno => Error::from_io("fallocate", &self.path, errno.into()),
        }
    }

    /// Refuses to write beyond the limit on the size of files, where the kernel sends SIGXFSZ, which ends the
    /// process (setrlimit(2)), also inside of a file that is longer.
    fn check_limit(&self, to: u64) -> Result<()> {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
        if limit.is_some_and(|limit| to > limit) { Err(self.full(to)) } else { Ok(()) }
    }

    /// Gives a file that ends at `from` real blocks up to `to`, and that length. On failure it may be longer than
    /// it was.
    pub(crate) fn lengthen(&self, from: usize, to: usize) -> Result<()> {
        let (from, to) = (from as u64, to as u64);
        self.check_limit(to)?;
        // Of what is missing, and no more: XFS wants room for all that it is asked for.
        self.fallocate(FallocateFlags::empty(), &(from..to))
            .map_err(|errno| self.why_not_allocated(errno, to))
    }

    /// Extends the file from `from` to `to` bytes with real blocks, durably, or leaves it as it was.
    fn extend(&self, from: usize, to: usize) -> Result<()> {
        if let Err(error) = self.lengthen(from, to) {
            // A full disk may have lengthened the file in part (ext4 does).
            let _ = retry_on_intr(|| rustix::fs::ftruncate(&self.file, from as u64));
            return Err(error);
        }
        self.sync().map_err(|error| Error::Poisoned { reason: error.to_string() })
    }

    /// Lets the file and its mapping grow to `to` bytes, durably, or leaves both as they were.
    pub(crate) fn grow(&self, map: &Map, to: usize) -> Result<()> {
        self.extend(map.len(), to)?;
        map.grow_file(to);
        Ok(())
    }

    /// Lets the blocks of a new, empty file be written where they are, where the file system would write each
    /// change to a new place otherwise: btrfs does, and a page that is changed on a full disk is a signal then
    /// (btrfs(5), "NODATACOW"; ioctl_iflags(2), `FS_NOCOW_FL`).
    pub(crate) fn write_in_place(&self) -> Result<()> {
        let stat = retry_on_intr(|| rustix::fs::fstatfs(&self.file))
            .map_err(|errno| Error::from_io("fstatfs", &self.path, errno.into()))?;
        if stat.f_type as u64 & 0xffff_ffff != BTRFS {
            return Ok(());
        }
        let set = || {
            let flags = rustix::fs::ioctl_getflags(&self.file)?;
            // It has them from its folder (`chattr +c`, `+m`). They exclude the other, and can't be exchanged for it
            // in one step (Linux fs/btrfs/ioctl.c, `check_fsflags`).
            let compression = IFlags::COMPRESSED | NOT_COMPRESSED;
            if flags.intersects(compression) {
                rustix::fs::ioctl_setflags(&self.file, flags - compression)?;
            }
            rustix::fs::ioctl_setflags(&self.file, (flags - compression) | IFlags::NOCOW)
        };
        set().map_err(|errno: Errno| Error::from_io("FS_IOC_SETFLAGS", &self.path, errno.into()))
    }

    /// The word at this offset, read without mapping it.
    pub(crate) fn word(&self, at: usize) -> Result<u64> {
        let mut word = [0; 8];
        self.file
            .read_exact_at(&mut word, at as u64)
            .map_err(|error| Error::from_io("pread", &self.path, error))?;
        Ok(u64::from_le_bytes(word))
    }

    /// Drops the pages that are clean and not mapped, so that the device is asked for them
    /// (posix_fadvise(2), "POSIX_FADV_DONTNEED").
    pub(crate) fn forget_cache(&self) -> Result<()> {
        rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::DontNeed)
            .map_err(|errno| Error::from_io("posix_fadvise", &self.path, errno.into()))?;
        calls::note(|| Call::Forget(self.stat.st_ino));
        Ok(())
    }

    /// Keeps the file's inode from being another's, as long as this exists.
    pub(crate) fn hold(&self) -> Result<File> {
        self.file.try_clone().map_err(|error| Error::from_io("dup", &self.path, error))
    }

    /// `fsync`.
    pub(crate) fn sync(&self) -> Result<()> {
        if self.device {
            return Ok(());
        }
        calls::fsync(&self.file).map_err(|errno| Error::from_io("fsync", &self.path, errno.into()))
    }
}

/// Whether this name leads to a character device.
pub(crate) fn is_device(entry: &Entry) -> bool {
    let kind = entry.stat().map(|stat| FileType::from_raw_mode(stat.st_mode));
    kind == Ok(FileType::CharacterDevice)
}

/// Whether both are the same file.
pub(crate) fn same_file(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
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

/// The typed error for what stands where a new file is to be.
pub(crate) fn why_not_free(entry: &Entry) -> Error {
    let path = entry.path().to_path_buf();
    match entry.stat().map(|stat| FileType::from_raw_mode(stat.st_mode)) {
        Ok(FileType::RegularFile) => Error::Exists { path },
        Ok(kind) => Error::NotAFile { path, found: called(kind) },
        Err(Errno::NOENT) => match entry.read_link() {
            Some(target) => Error::DanglingSymlink { path, target },
            // It was there a moment ago.
            None => Error::Exists { path },
        },
        Err(errno) => Error::from_io("open", &path, errno.into()),
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            return; // a child of `fork`, which shares the lock with its parent
        }
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
