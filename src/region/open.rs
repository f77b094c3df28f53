//! Opening a region file: lock it, map it, and recover what is in it.

use super::Region;
use super::recover::recover;
use crate::error::{Error, Result};
use crate::flush::PAGE;
use crate::format::layout::{MAGIC, region_len};
use crate::medium::{FileMedium, OpenFile};
use crate::options::Options;
use crate::persistent::Persistent;
use std::os::unix::fs::FileExt;
use std::panic::Location;
use std::path::Path;

#[track_caller]
pub(crate) fn open<R: Persistent, M: FileMedium>(path: &Path, options: &Options) -> Result<Region<R, M>> {
    open_file(OpenFile::open(path, M::ACCESS, options.file())?, options)
}

/// Opens the region in a file that is open and locked already.
#[track_caller]
pub(crate) fn open_file<R: Persistent, M: FileMedium>(
    file: OpenFile,
    options: &Options,
) -> Result<Region<R, M>> {
    let medium: M = attach(file, options)?;
    let exact_len = medium.file().exact_len;
    let (engine, recovered) = recover::<R, M>(&medium, exact_len, options, Location::caller())?;
    Ok(Region::new_parts(medium, engine, recovered))
}

/// Maps a file that is long enough to be a region.
pub(crate) fn attach<M: FileMedium>(file: OpenFile, options: &Options) -> Result<M> {
    let exact_len = file.exact_len;
    if file.len == 0 {
        return Err(shorter_than_a_page(&file));
    }
    region_len(exact_len, 0)?;
    file.check_bad_blocks(options.file())?;
    M::attach(file, options.file()).map_err(|refused| refused.error)
}

/// A file that is too short to be mapped.
fn shorter_than_a_page(file: &OpenFile) -> Error {
    let mut found = vec![0; 8];
    let path = file.path.clone();
    match file.file.read_at(&mut found, 0) {
        Ok(8) if found == MAGIC.to_le_bytes() => {
            Error::Truncated { path, len: file.exact_len, needed: PAGE as u64 }
        }
        Ok(len) => {
            found.truncate(len);
            Error::NotARegion { path, found }
        }
        Err(source) => Error::from_io("read", &path, source),
    }
}
