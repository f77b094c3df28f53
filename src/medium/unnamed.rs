//! [`Unnamed`]: a file that nobody sees before it is whole and durable, and how it gets its name.
//!
//! Where the file system has no unnamed files, and for the moment of a replacement, it has a hidden name:
//! `.NAME.` and 16 hexadecimal digits and `.new`, beside the file that it is for. A process that is killed
//! may leave such a name behind; nothing ever reads it, and [`sweep`] removes those that nobody has open.

use super::OpenFile;
use super::file::{Access, folder_of, same_file, why_not_free};
use super::folder;
use crate::error::{Error, Result};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, RenameFlags, Uid};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A file without its final name: nobody else can open it, and it is gone if it is dropped before it gets
/// one.
pub(crate) struct Unnamed {
    target: PathBuf,
    folder: PathBuf,
    /// The hidden name, if it has one.
    hidden: Option<Name>,
}

/// A name that goes when this is dropped.
struct Name(Option<PathBuf>);

impl Name {
    /// One more name, which must be free, for the file at `from`.
    fn link(from: &Path, to: &Path) -> Result<Self, Errno> {
        rustix::fs::linkat(CWD, from, CWD, to, AtFlags::SYMLINK_FOLLOW)?;
        Ok(Name(Some(to.to_path_buf())))
    }

    fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// It stays, or is another's by now.
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = rustix::fs::unlink(path);
        }
    }
}

impl Unnamed {
    /// A new, locked file of `len` bytes with real blocks, in the folder of `target`, where nothing may be.
    pub(crate) fn create(target: &Path, len: usize, mode: u32) -> Result<(Self, OpenFile)> {
        if target.symlink_metadata().is_ok() {
            return Err(why_not_free(target));
        }
        Self::beside(target, target, len, mode)
    }

    /// A new, locked file of `len` bytes with real blocks, to take the place of `old` with its mode and
    /// owner.
    pub(crate) fn replacing(old: &OpenFile, len: usize) -> Result<(Self, OpenFile)> {
        let path = &old.path;
        // A symbolic link stays: what it leads to is replaced.
        let target = path.canonicalize().map_err(|error| Error::from_io("realpath", path, error))?;
        if !old.is_at(&target)? {
            return Err(Error::Locked { path: path.clone() });
        }
        let (this, file) = Self::beside(&target, path, len, 0o600)?;
        let (uid, gid) = (Uid::from_raw(old.stat.st_uid), Gid::from_raw(old.stat.st_gid));
        // Not as `PermissionDenied`, which speaks of reading and writing.
        let io = |op| move |errno: Errno| Error::Io { op, path: path.clone(), source: errno.into() };
        if (file.stat.st_uid, file.stat.st_gid) != (old.stat.st_uid, old.stat.st_gid) {
            retry_on_intr(|| rustix::fs::fchown(&file.file, Some(uid), Some(gid))).map_err(io("fchown"))?;
        }
        let mode = Mode::from_raw_mode(old.stat.st_mode & 0o777);
        retry_on_intr(|| rustix::fs::fchmod(&file.file, mode)).map_err(io("fchmod"))?;
        Ok((this, file))
    }

    /// A new file in the folder of `target`, which errors call `path`.
    fn beside(target: &Path, path: &Path, len: usize, mode: u32) -> Result<(Self, OpenFile)> {
        let folder = folder_of(target);
        let mode = Mode::from_raw_mode(mode);
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let mut this = Unnamed { target: target.to_path_buf(), folder, hidden: None };
        let fd = match retry_on_intr(|| rustix::fs::open(&this.folder, flags | OFlags::TMPFILE, mode)) {
            Ok(fd) => fd,
            // open(2): a file system without O_TMPFILE, or a kernel that takes it for O_DIRECTORY.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => this.open_hidden(flags, mode)?,
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(Error::NoFolder { path: this.folder.clone() }),
            Err(Errno::NOSPC | Errno::DQUOT) => {
                return Err(Error::DiskFull { path: path.to_path_buf(), needed: len as u64 });
            }
            Err(errno) => return Err(Error::from_io("open", &this.folder, errno.into())),
        };
        let mut file = OpenFile::from_file(File::from(fd), path, Access::Write)?;
        file.write_in_place()?;
        file.lengthen(0, len)?;
        file.len = len;
        file.exact_len = len as u64;
        Ok((this, file))
    }

    fn open_hidden(&mut self, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        let path = hidden_name(&self.target);
        let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let fd = retry_on_intr(|| rustix::fs::open(&path, flags, mode))
            .map_err(|errno| Error::from_io("open", &path, errno.into()))?;
        self.hidden = Some(Name(Some(path)));
        Ok(fd)
    }

    /// Syncs the file, gives it its name, which must be free, and syncs the folder.
    pub(crate) fn name(mut self, file: &OpenFile) -> Result<()> {
        file.sync()?;
        let folder = open_folder(&self.folder)?;
        match self.hidden.take() {
            Some(hidden) => {
                rustix::fs::renameat_with(CWD, hidden.path(), CWD, &self.target, RenameFlags::NOREPLACE)
                    .map_err(|errno| Error::from_io("rename", &self.target, errno.into()))?;
                hidden.forget();
            }
            None => link_unnamed(file, &self.target)?.forget(),
        }
        // The file is whole and has its name, but a power failure might take the name away again: the
        // caller is told that it failed, and so the name goes.
        retry_on_intr(|| rustix::fs::fsync(&folder)).map_err(|errno| {
            let _ = rustix::fs::unlink(&self.target);
            Error::from_io("fsync", &self.folder, errno.into())
        })
    }

    /// Syncs the file and puts it in the place of `old`, which is locked, and keeps that under the name
    /// `keep`. On success all of this is durable; on failure everything is as it was.
    ///
    /// Until the last step the name leads to the old file, and from there on to the new one, which is whole
    /// and durable. The old file has a second, hidden name meanwhile, for the way back.
    pub(crate) fn replace(mut self, file: &OpenFile, old: &OpenFile, keep: Option<&Path>) -> Result<()> {
        file.sync()?;
        let folder = open_folder(&self.folder)?;
        if !old.is_at(&self.target)? {
            // By a program that ignores the lock.
            return Err(Error::Locked { path: old.path.clone() });
        }
        let kept = match keep {
            Some(keep) => keep_as(&self.target, old, keep)?,
            None => None,
        };
        let new = match self.hidden.take() {
            Some(hidden) => hidden,
            None => link_unnamed(file, &hidden_name(&self.target))?,
        };
        let back = hidden_name(&self.target);
        let back = Name::link(&self.target, &back).map_err(|errno| no_second_name(&old.path, errno))?;
        let io = |op, path: &Path, errno: Errno| Error::Io { op, path: path.into(), source: errno.into() };
        rustix::fs::rename(new.path(), &self.target).map_err(|errno| io("rename", &self.target, errno))?;
        new.forget();
        if let Err(errno) = retry_on_intr(|| rustix::fs::fsync(&folder)) {
            if rustix::fs::rename(back.path(), &self.target).is_ok() {
                back.forget();
            }
            return Err(io("fsync", &self.folder, errno));
        }
        if let Some(kept) = kept {
            kept.forget();
        }
        Ok(())
    }
}

/// Refuses a name under which `old` could not be kept, before any work is done. `false`: it is kept there
/// already, by an attempt that was killed.
pub(crate) fn check_keep(old: &OpenFile, keep: &Path) -> Result<bool> {
    let folder = folder_of(keep);
    let Ok(stat) = rustix::fs::stat(&folder) else { return Err(Error::NoFolder { path: folder }) };
    if stat.st_dev != old.stat.st_dev {
        return Err(Error::BadOption {
            option: "keep_old",
            reason: "the file can be kept on its own file system only; give a path there, and move it later",
        });
    }
    let Ok(there) = rustix::fs::lstat(keep) else { return Ok(true) };
    // The same file, and not by the same name: with one name alone it must be that.
    let is_old = same_file(&there, &old.stat) && there.st_nlink > 1;
    let place =
        |path: &Path| (folder_of(path).canonicalize().ok(), path.file_name().map(OsStr::to_os_string));
    let own = old.path.canonicalize().map_err(|error| Error::from_io("realpath", &old.path, error))?;
    match is_old && place(keep) != place(&own) {
        true => Ok(false),
        false => Err(why_not_free(keep)),
    }
}

/// Gives the old file its second name, durably; `None` if it has it already.
fn keep_as(target: &Path, old: &OpenFile, keep: &Path) -> Result<Option<Name>> {
    let name = match check_keep(old, keep)? {
        true => Some(Name::link(target, keep).map_err(|errno| match errno {
            Errno::EXIST => Error::Exists { path: keep.to_path_buf() },
            errno => no_second_name(keep, errno),
        })?),
        false => None,
    };
    let folder = folder_of(keep);
    let opened = open_folder(&folder)?;
    retry_on_intr(|| rustix::fs::fsync(&opened))
        .map_err(|errno| Error::from_io("fsync", &folder, errno.into()))?;
    Ok(name)
}

fn no_second_name(path: &Path, errno: Errno) -> Error {
    match errno {
        // link(2): a file system without hard links.
        Errno::PERM | Errno::OPNOTSUPP => Error::Unsupported {
            path: path.to_path_buf(),
            what: "the file system gives a file no second name (hard link), without which it can't be replaced safely; copy the region to another file system, and migrate it there",
        },
        Errno::ACCESS => Error::PermissionDenied { path: path.to_path_buf() },
        errno => Error::Io { op: "linkat", path: path.to_path_buf(), source: errno.into() },
    }
}

fn open_folder(folder: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    retry_on_intr(|| rustix::fs::open(folder, flags, Mode::empty()))
        .map_err(|errno| Error::from_io("open", folder, errno.into()))
}

/// Gives an unnamed file a name.
fn link_unnamed(file: &OpenFile, to: &Path) -> Result<Name> {
    // open(2), "O_TMPFILE": the way to name an unnamed file without CAP_DAC_READ_SEARCH.
    let from = format!("/proc/self/fd/{}", file.file.as_raw_fd());
    Name::link(Path::new(&from), to).map_err(|errno| match errno {
        // The folder is open: it is procfs that is missing, and "make it with `create`" would not help.
        Errno::NOENT => Error::Io { op: "linkat", path: to.to_path_buf(), source: errno.into() },
        errno => Error::from_io("linkat", to, errno.into()),
    })
}

const SUFFIX: &[u8] = b".new";
/// Hexadecimal digits in a hidden name.
const DIGITS: usize = 16;

/// What the hidden names for `target` begin with: not longer than a name may be with the rest.
fn hidden_prefix(target: &Path) -> Vec<u8> {
    let name = target.file_name().unwrap_or_default().as_bytes();
    [b".", &name[..name.len().min(200)], b"."].concat()
}

/// A hidden name that nobody has.
fn hidden_name(target: &Path) -> PathBuf {
    // A hasher's keys are random: nothing but that is asked of the number.
    let digits = format!("{:0DIGITS$x}", RandomState::new().build_hasher().finish());
    let name = [&hidden_prefix(target), digits.as_bytes(), SUFFIX].concat();
    folder_of(target).join(OsString::from_vec(name))
}

fn is_hidden_name(name: &OsStr, prefix: &[u8]) -> bool {
    let digits = name.as_bytes().strip_prefix(prefix).and_then(|rest| rest.strip_suffix(SUFFIX));
    digits.is_some_and(|digits| {
        digits.len() == DIGITS && digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Removes the hidden names that killed processes left beside `file`: names of that file itself, whose lock is
/// ours, and of files that nobody has locked. Who is at work has locked his.
pub(crate) fn sweep(file: &OpenFile) {
    let Ok(target) = file.path.canonicalize() else { return };
    let prefix = hidden_prefix(&target);
    let folder = folder_of(&target);
    for name in folder::names(&folder).into_iter().filter(|name| is_hidden_name(name, &prefix)) {
        let path = folder.join(name);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let Ok(fd) = rustix::fs::open(&path, flags, Mode::empty()) else { continue };
        let is_own = rustix::fs::fstat(&fd).is_ok_and(|stat| same_file(&stat, &file.stat));
        if is_own || OpenFile::from_file(File::from(fd), &path, Access::Write).is_ok() {
            let _ = rustix::fs::unlink(&path);
        }
    }
}
