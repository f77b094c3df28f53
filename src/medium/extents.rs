//! Where the bytes of a file lie on the device of its file system: `FS_IOC_FIEMAP` (Linux
//! `Documentation/filesystems/fiemap.rst`). Asked for where a file is opened, by [`Gaps`](super::gaps::Gaps), and
//! where a device has bad blocks.
//!
//! # Safety
//!
//! The request below has the layout of `struct fiemap` with room for [`ROOM`] extents (Linux
//! `include/uapi/linux/fiemap.h`), and tells the kernel about no more than that room.
#![allow(unsafe_code)]

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use std::fs::File;
use std::io;

/// Bytes of a file that the file system has something for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// In the file.
    pub logical: u64,
    pub len: u64,
    pub blocks: Blocks,
    /// On the device, where there is such a place: not of what is compressed, say.
    pub physical: Option<u64>,
}

/// What an extent has on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocks {
    /// Blocks that can be written where they are, also if nothing was ever written there.
    Own,
    /// Blocks that another file has too: to be written they need new ones.
    Shared,
    /// None yet, or room inside the file system's own metadata.
    None,
}

/// Extents that one request asks for.
const ROOM: usize = 64;

/// `struct fiemap`.
#[repr(C)]
struct Request {
    start: u64,
    len: u64,
    flags: u32,
    found: u32,
    room: u32,
    reserved: u32,
    extents: [Record; ROOM],
}

/// `struct fiemap_extent`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Record {
    logical: u64,
    physical: u64,
    len: u64,
    reserved: [u64; 2],
    flags: u32,
    more: [u32; 3],
}

/// `FS_IOC_FIEMAP`: its number has the size of the request without the extents.
const FIEMAP: Opcode = opcode::read_write::<[u8; 32]>(b'f', 11);
/// `FIEMAP_FLAG_SYNC`: first write out what has no place yet.
const SYNC: u32 = 1;
/// `FIEMAP_EXTENT_LAST`.
const LAST: u32 = 1;
/// `FIEMAP_EXTENT_UNKNOWN`, `_DELALLOC`, `_DATA_INLINE` and `_DATA_TAIL`: there are no blocks of its own.
const NO_BLOCKS: u32 = 0x2 | 0x4 | 0x200 | 0x400;
/// Those, and `FIEMAP_EXTENT_ENCODED`: the address means nothing.
const NOWHERE: u32 = NO_BLOCKS | 0x8;
/// `FIEMAP_EXTENT_SHARED`. (`FIEMAP_EXTENT_UNWRITTEN`, 0x800, are blocks like others.)
const SHARED: u32 = 0x2000;

impl From<&Record> for Extent {
    fn from(record: &Record) -> Self {
        let flag = |flags| record.flags & flags != 0;
        let blocks = match () {
            () if flag(NO_BLOCKS) => Blocks::None,
            () if flag(SHARED) => Blocks::Shared,
            () => Blocks::Own,
        };
        let physical = (!flag(NOWHERE)).then_some(record.physical);
        Extent { logical: record.logical, len: record.len, blocks, physical }
    }
}

/// The extents of a file, in its order.
pub(crate) fn of(file: &File) -> io::Result<Vec<Extent>> {
    let (mut extents, mut start) = (Vec::new(), 0);
    loop {
        let mut request = Request {
            start,
            len: u64::MAX - start,
            flags: SYNC,
            found: 0,
            room: ROOM as u32,
            reserved: 0,
            extents: [Record::default(); ROOM],
        };
        // SAFETY: the opcode's request is `Request`, by the module's invariant. All of it is integers, so that
        // whatever the kernel writes there is valid.
        let update = unsafe { Updater::<FIEMAP, Request>::new(&mut request) };
        // SAFETY: FS_IOC_FIEMAP changes nothing but the request, which is borrowed by `update`.
        unsafe { ioctl(file, update)? };
        let found = &request.extents[..ROOM.min(request.found as usize)];
        extents.extend(found.iter().map(Extent::from));
        match found.last() {
            Some(record) if record.flags & LAST == 0 && record.len > 0 => {
                start = record.logical.saturating_add(record.len)
            }
            _ => return Ok(extents),
        }
    }
}

const _: () = assert!(size_of::<Request>() == 32 + ROOM * 56 && size_of::<Record>() == 56);
