//! [`Entry`]: a name in a folder, where the folder was looked up once.
//!
//! Between the look-up of a path and its use the caller's code may run, or another thread: either may change the
//! working directory, rename a folder, point a symbolic link elsewhere. So the folder is opened when the path is
//! given, and everything afterwards is asked of that folder.

use super::calls::{self, Call};
use super::folder::{self, folder_of};
use crate::error::{Error, Result};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, Stat};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A name in a folder. There need be no file of that name.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    folder: Arc<OwnedFd>,
    name: OsString,
    /// What errors call it: the path that was given.
    path: PathBuf,
}

impl Entry {
    /// Looks up the folder of `path`, and not what the name in it leads to.
    pub(crate) fn at(path: &Path) -> Result<Self> {
        let bytes = path.as_os_str().as_bytes();
        let name = match path.file_name() {
            Some(name) if !bytes.ends_with(b"/") && !bytes.ends_with(b"/.") => name.to_os_string(),
            // The path of a folder, whether there is one or not.
            _ => match std::fs::metadata(path) {
                Ok(_) => return Err(Error::NotAFile { path: path.to_path_buf(), found: "a folder" }),
                // A file of that name is no folder: ENOTDIR.
                Err(error) => return Err(Error::from_io("open", path, error)),
            },
        };
        let folder = folder_of(path);
        // O_PATH asks for no right to read the folder, which only a sync of it needs.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = retry_on_intr(|| rustix::fs::open(&folder, flags, Mode::empty()));
        match opened {
            Ok(opened) => Ok(Entry { folder: Arc::new(opened), name, path: path.to_path_buf() }),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(Error::NoFolder { path: folder }),
            Err(errno) => Err(Error::from_io("open", &folder, errno.into())),
        }
    }

    /// Another name in the same folder.
    pub(crate) fn beside(&self, name: OsString) -> Self {
        let path = folder_of(&self.path).join(&name);
        Entry { folder: Arc::clone(&self.folder), name, path }
    }

    pub(crate) fn name(&self) -> &OsStr {
        &self.name
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// The path of the folder, for errors.
    pub(crate) fn folder_path(&self) -> PathBuf {
        folder_of(&self.path)
    }

    /// What the folder is.
    pub(crate) fn folder_stat(&self) -> Result<Stat> {
        rustix::fs::fstat(&self.folder)
            .map_err(|errno| Error::from_io("fstat", &self.folder_path(), errno.into()))
    }

    /// The file of this name, or the one that a symbolic link of this name leads to.
    pub(crate) fn stat(&self) -> Result<Stat, Errno> {
        rustix::fs::statat(&self.folder, &self.name, AtFlags::empty())
    }

    /// The file or symbolic link of this name.
    pub(crate) fn lstat(&self) -> Result<Stat, Errno> {
        rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// What the symbolic link of this name says.
    pub(crate) fn read_link(&self) -> Option<PathBuf> {
        let target = rustix::fs::readlinkat(&self.folder, &self.name, Vec::new()).ok()?;
        Some(OsStr::from_bytes(target.to_bytes()).into())
    }

    pub(crate) fn open(&self, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        retry_on_intr(|| rustix::fs::openat(&self.folder, &self.name, flags, mode))
    }

    /// Opens the folder itself, which with `O_TMPFILE` makes a file in it.
    pub(crate) fn open_folder(&self, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        retry_on_intr(|| rustix::fs::openat(&self.folder, ".", flags, mode))
    }

    /// Gives the file at `from`, a path that is not looked up in the working directory, this name, which must be
    /// free.
    pub(crate) fn link_path(&self, from: &Path) -> Result<(), Errno> {
        debug_assert!(from.is_absolute());
        rustix::fs::linkat(CWD, from, &self.folder, &self.name, AtFlags::SYMLINK_FOLLOW)?;
        calls::note(|| Call::Link(self.name.clone()));
        Ok(())
    }

    /// Gives the file of this name another one, which must be free.
    pub(crate) fn link(&self, to: &Entry) -> Result<(), Errno> {
        let flags = AtFlags::SYMLINK_FOLLOW;
        rustix::fs::linkat(&self.folder, &self.name, &to.folder, &to.name, flags)?;
        calls::note(|| Call::Link(to.name.clone()));
        Ok(())
    }

    /// Gives the file of this name another name in place of it.
    pub(crate) fn rename(&self, to: &Entry, flags: RenameFlags) -> Result<(), Errno> {
        match flags.is_empty() {
            true => rustix::fs::renameat(&self.folder, &self.name, &to.folder, &to.name)?,
            false => rustix::fs::renameat_with(&self.folder, &self.name, &to.folder, &to.name, flags)?,
        }
        calls::note(|| Call::Rename(to.name.clone()));
        Ok(())
    }

    pub(crate) fn unlink(&self) -> Result<(), Errno> {
        rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty())
    }

    /// The folder, to be synced when its names have changed.
    pub(crate) fn readable_folder(&self) -> Result<ReadableFolder> {
        let path = self.folder_path();
        match self.open_folder(OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(fd) => Ok(ReadableFolder { fd, path }),
            Err(errno) => Err(Error::from_io("open", &path, errno.into())),
        }
    }

    /// The names in the folder, as far as it can be read.
    pub(crate) fn names(&self) -> Vec<OsString> {
        self.readable_folder().map_or_else(|_| Vec::new(), |folder| folder::names_in(folder.fd))
    }
}

/// A folder whose names can be made durable.
pub(crate) struct ReadableFolder {
    fd: OwnedFd,
    path: PathBuf,
}

impl ReadableFolder {
    /// Makes the names in it durable.
    pub(crate) fn sync(&self) -> Result<()> {
        calls::fsync(&self.fd).map_err(|errno| Error::Io {
            op: "fsync",
            path: self.path.clone(),
            source: errno.into(),
        })
    }
}
