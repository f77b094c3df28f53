//! [`Unnamed`]: a file that nobody sees before it is whole and durable, and how it gets its name.
//!
//! Where the file system has no unnamed files, and for the moment of a replacement, it has a hidden name:
//! `.NAME.` and 16 hexadecimal digits and `.new`, beside the file that it is for. A process that is killed
//! may leave such a name behind; nothing ever reads it, and [`sweep`] removes those that nobody has open.

use super::OpenFile;
use super::entry::Entry;
use super::file::{Access, same_file, why_not_free};
use crate::error::{Error, Result};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Gid, Mode, OFlags, RenameFlags, Uid};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// A file without its final name: nobody else can open it, and it is gone if it is dropped before it gets
/// one.
pub(crate) struct Unnamed {
    target: Entry,
    /// The hidden name, if it has one.
    hidden: Option<Name>,
}

/// A name that goes when this is dropped.
struct Name(Option<Entry>);

impl Name {
    /// One more name, which must be free, for the file that `from` is the name of.
    fn link(from: &Entry, to: Entry) -> Result<Self, Errno> {
        from.link(&to)?;
        Ok(Name(Some(to)))
    }

    /// Gives the file its final name in place of this one.
    fn rename(mut self, to: &Entry, flags: RenameFlags) -> Result<(), Errno> {
        if let Some(from) = &self.0 {
            from.rename(to, flags)?;
        }
        self.0 = None;
        Ok(())
    }

    /// Keeps the name: it is final now.
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if let Some(entry) = &self.0 {
            let _ = entry.unlink();
        }
    }
}

impl Unnamed {
    /// A new, locked file of `len` bytes with real blocks, in the folder of `target`, where nothing may be.
    ///
    /// `check` may refuse the file before it has blocks.
    pub(crate) fn create(
        target: Entry,
        len: usize,
        mode: u32,
        check: impl FnOnce(&OpenFile) -> Result<()>,
    ) -> Result<(Self, OpenFile)> {
        if target.lstat().is_ok() {
            return Err(why_not_free(&target));
        }
        let path = target.path().to_path_buf();
        Self::beside(target, &path, len, mode, check)
    }

    /// A new, locked file of `len` bytes with real blocks, to take the place of `old`, which `target` is the
    /// name of, with its mode and owner.
    pub(crate) fn replacing(
        target: Entry,
        old: &OpenFile,
        len: usize,
        check: impl FnOnce(&OpenFile) -> Result<()>,
    ) -> Result<(Self, OpenFile)> {
        let path = &old.path;
        if !old.is_entry(&target)? {
            return Err(Error::Locked { path: path.clone() });
        }
        let (this, file) = Self::beside(target, path, len, 0o600, check)?;
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
    fn beside(
        target: Entry,
        path: &Path,
        len: usize,
        mode: u32,
        check: impl FnOnce(&OpenFile) -> Result<()>,
    ) -> Result<(Self, OpenFile)> {
        let mode = Mode::from_raw_mode(mode);
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let mut this = Unnamed { target, hidden: None };
        let fd = match this.target.open_folder(flags | OFlags::TMPFILE, mode) {
            Ok(fd) => fd,
            // open(2): a file system without O_TMPFILE, or a kernel that takes it for O_DIRECTORY.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => this.open_hidden(flags, mode)?,
            Err(Errno::NOENT | Errno::NOTDIR) => {
                return Err(Error::NoFolder { path: this.target.folder_path() });
            }
            Err(Errno::NOSPC | Errno::DQUOT) => {
                return Err(Error::DiskFull { path: path.to_path_buf(), needed: len as u64 });
            }
            Err(errno) => return Err(Error::from_io("open", &this.target.folder_path(), errno.into())),
        };
        let mut file = OpenFile::from_file(File::from(fd), path, Access::Write)?;
        check(&file)?;
        file.write_in_place()?;
        file.lengthen(0, len)?;
        file.len = len;
        file.exact_len = len as u64;
        Ok((this, file))
    }

    fn open_hidden(&mut self, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        let hidden = hidden_entry(&self.target);
        let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let fd =
            hidden.open(flags, mode).map_err(|errno| Error::from_io("open", hidden.path(), errno.into()))?;
        self.hidden = Some(Name(Some(hidden)));
        Ok(fd)
    }

    /// Syncs the file, gives it its name, which must be free, and syncs the folder.
    pub(crate) fn name(mut self, file: &OpenFile) -> Result<()> {
        file.sync()?;
        let folder = self.target.readable_folder()?;
        match self.hidden.take() {
            Some(hidden) => hidden
                .rename(&self.target, RenameFlags::NOREPLACE)
                .map_err(|errno| Error::from_io("rename", self.target.path(), errno.into()))?,
            None => link_unnamed(file, self.target.clone())?.keep(),
        }
        // The file is whole and has its name, but a power failure might take the name away again: the
        // caller is told that it failed, and so the name goes.
        folder.sync().inspect_err(|_| {
            let _ = self.target.unlink();
        })
    }

    /// Syncs the file and puts it in the place of `old`, which is locked, and keeps that under the name
    /// `keep`. On success all of this is durable; on failure everything is as it was.
    ///
    /// Until the last step the name leads to the old file, and from there on to the new one, which is whole
    /// and durable. The old file has a second, hidden name meanwhile, for the way back.
    pub(crate) fn replace(mut self, file: &OpenFile, old: &OpenFile, keep: Option<&Kept>) -> Result<()> {
        file.sync()?;
        let folder = self.target.readable_folder()?;
        if !old.is_entry(&self.target)? {
            // By a program that ignores the lock.
            return Err(Error::Locked { path: old.path.clone() });
        }
        let kept = match keep {
            Some(keep) => keep.link(&self.target, old)?,
            None => None,
        };
        let new = match self.hidden.take() {
            Some(hidden) => hidden,
            None => link_unnamed(file, hidden_entry(&self.target))?,
        };
        let back = Name::link(&self.target, hidden_entry(&self.target))
            .map_err(|errno| no_second_name(&old.path, errno))?;
        new.rename(&self.target, RenameFlags::empty()).map_err(|errno| Error::Io {
            op: "rename",
            path: self.target.path().into(),
            source: errno.into(),
        })?;
        if let Err(error) = folder.sync() {
            let _ = back.rename(&self.target, RenameFlags::empty());
            return Err(error);
        }
        if let Some(kept) = kept {
            kept.keep();
        }
        Ok(())
    }
}

/// The name under which a migration keeps the old file, looked up before any work is done.
pub(crate) struct Kept(Entry);

impl Kept {
    /// Refuses a name under which `old`, whose own name is `own`, could not be kept.
    pub(crate) fn at(path: &Path, old: &OpenFile, own: &Entry) -> Result<Self> {
        let kept = Kept(Entry::at(path)?);
        if kept.0.folder_stat()?.st_dev != old.stat.st_dev {
            return Err(Error::BadOption {
                option: "keep_old",
                reason: "the file can be kept on its own file system only; give a path there, and move it later",
            });
        }
        kept.is_free(old, own)?;
        Ok(kept)
    }

    /// `false`: `old` is kept there already, by an attempt that was killed.
    fn is_free(&self, old: &OpenFile, own: &Entry) -> Result<bool> {
        let Ok(there) = self.0.lstat() else { return Ok(true) };
        // The same file, and not by the same name: with one name alone it must be that.
        let is_old = same_file(&there, &old.stat) && there.st_nlink > 1;
        let same_folder = same_file(&self.0.folder_stat()?, &own.folder_stat()?);
        match is_old && !(same_folder && self.0.name() == own.name()) {
            true => Ok(false),
            false => Err(why_not_free(&self.0)),
        }
    }

    /// Gives the old file its second name, durably; `None` if it has it already.
    fn link(&self, own: &Entry, old: &OpenFile) -> Result<Option<Name>> {
        let name = match self.is_free(old, own)? {
            true => Some(Name::link(own, self.0.clone()).map_err(|errno| match errno {
                Errno::EXIST => Error::Exists { path: self.0.path().to_path_buf() },
                errno => no_second_name(self.0.path(), errno),
            })?),
            false => None,
        };
        self.0.readable_folder()?.sync()?;
        Ok(name)
    }
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

/// Gives an unnamed file a name.
fn link_unnamed(file: &OpenFile, to: Entry) -> Result<Name> {
    // open(2), "O_TMPFILE": the way to name an unnamed file without CAP_DAC_READ_SEARCH.
    let from = format!("/proc/self/fd/{}", file.file.as_raw_fd());
    match to.link_path(Path::new(&from)) {
        Ok(()) => Ok(Name(Some(to))),
        // The folder is open: it is procfs that is missing, and "make it with `create`" would not help.
        Err(errno @ Errno::NOENT) => {
            Err(Error::Io { op: "linkat", path: to.path().to_path_buf(), source: errno.into() })
        }
        Err(errno) => Err(Error::from_io("linkat", to.path(), errno.into())),
    }
}

const SUFFIX: &[u8] = b".new";
/// Hexadecimal digits in a hidden name.
const DIGITS: usize = 16;

/// What the hidden names for `target` begin with: not longer than a name may be with the rest.
fn hidden_prefix(target: &Entry) -> Vec<u8> {
    let name = target.name().as_bytes();
    [b".", &name[..name.len().min(200)], b"."].concat()
}

/// A hidden name that nobody has.
fn hidden_entry(target: &Entry) -> Entry {
    // A hasher's keys are random: nothing but that is asked of the number.
    let digits = format!("{:0DIGITS$x}", RandomState::new().build_hasher().finish());
    let name = [&hidden_prefix(target), digits.as_bytes(), SUFFIX].concat();
    target.beside(OsString::from_vec(name))
}

fn is_hidden_name(name: &OsStr, prefix: &[u8]) -> bool {
    let digits = name.as_bytes().strip_prefix(prefix).and_then(|rest| rest.strip_suffix(SUFFIX));
    digits.is_some_and(|digits| {
        digits.len() == DIGITS && digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Removes the hidden names that killed processes left beside `file`, whose name is `target`: names of that file
/// itself, whose lock is ours, and of files that nobody has locked. Who is at work has locked his.
pub(crate) fn sweep(target: &Entry, file: &OpenFile) {
    let prefix = hidden_prefix(target);
    for name in target.names().into_iter().filter(|name| is_hidden_name(name, &prefix)) {
        let hidden = target.beside(name);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let Ok(fd) = hidden.open(flags, Mode::empty()) else { continue };
        let is_own = rustix::fs::fstat(&fd).is_ok_and(|stat| same_file(&stat, &file.stat));
        if is_own || OpenFile::from_file(File::from(fd), hidden.path(), Access::Write).is_ok() {
            let _ = hidden.unlink();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flush::PAGE;
    use crate::medium::calls::{self, Call};
    use crate::options::Options;
    use std::os::unix::fs::MetadataExt;
    use std::path::PathBuf;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap()
    }

    fn inode(path: &Path) -> u64 {
        path.metadata().unwrap().ino()
    }

    fn new_file(path: &Path) -> (Unnamed, OpenFile) {
        Unnamed::create(Entry::at(path).unwrap(), PAGE, 0o600, |_| Ok(())).unwrap()
    }

    #[test]
    fn a_new_file_is_synced_then_named_and_then_its_folder_is_synced() {
        let folder = folder();
        let path = folder.path().join("x");
        let (unnamed, file) = new_file(&path);
        let (named, calls) = calls::during(|| unnamed.name(&file));
        named.unwrap();
        let order = [Call::Sync(inode(&path)), Call::Link("x".into()), Call::Sync(inode(folder.path()))];
        assert_eq!(calls, order);
    }

    /// Where the file system has no unnamed files.
    #[test]
    fn so_is_one_that_had_a_hidden_name() {
        let folder = folder();
        let path = folder.path().join("x");
        let mut unnamed = Unnamed { target: Entry::at(&path).unwrap(), hidden: None };
        let fd = unnamed.open_hidden(OFlags::RDWR | OFlags::CLOEXEC, Mode::from_raw_mode(0o600)).unwrap();
        let file = OpenFile::from_file(File::from(fd), &path, Access::Write).unwrap();
        let (named, calls) = calls::during(|| unnamed.name(&file));
        named.unwrap();
        let order = [Call::Sync(inode(&path)), Call::Rename("x".into()), Call::Sync(inode(folder.path()))];
        assert_eq!(calls, order);
    }

    #[test]
    fn a_replaced_file_is_kept_durably_before_it_loses_its_name_and_the_folder_is_synced_last() {
        let (folder, other) = (folder(), folder());
        let (path, kept): (PathBuf, PathBuf) = (folder.path().join("x"), other.path().join("kept"));
        std::fs::write(&path, [0; PAGE]).unwrap();
        let old = OpenFile::open(&path, Access::Write, Options::new().file()).unwrap();
        let own = old.entry().unwrap();
        let keep = Kept::at(&kept, &old, &own).unwrap();
        let (unnamed, new) = Unnamed::replacing(own, &old, PAGE, |_| Ok(())).unwrap();
        let (replaced, calls) = calls::during(|| unnamed.replace(&new, &old, Some(&keep)));
        replaced.unwrap();
        assert_eq!((inode(&path), inode(&kept)), (new.stat.st_ino, old.stat.st_ino));
        let hidden = |call: &Call| matches!(call, Call::Link(name) if is_hidden_name(name, b".x."));
        let [file, link, keeping, one, back, rename, last] = &calls[..] else { panic!("{calls:?}") };
        assert_eq!([file, keeping], [&Call::Sync(inode(&path)), &Call::Sync(inode(other.path()))]);
        assert_eq!([link, rename], [&Call::Link("kept".into()), &Call::Rename("x".into())]);
        assert!(hidden(one) && hidden(back), "{calls:?}");
        assert_eq!(*last, Call::Sync(inode(folder.path())));
    }
}
