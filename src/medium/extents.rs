//! Where the bytes of a file lie on the device of its file system: `FS_IOC_FIEMAP` (Linux
//! `Documentation/filesystems/fiemap.rst`). Asked for only if the device has bad blocks.
//!
//! # Safety
//!
//! The request below has the layout of `struct fiemap` with room for [`ROOM`] extents (Linux
//! `include/uapi/linux/fiemap.h`), and tells the kernel about no more than that room.
#![allow(unsafe_code)]

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use std::fs::File;
use std::io;

/// Bytes of a file, and where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// In the file.
    pub logical: u64,
    /// On the device.
    pub physical: u64,
    pub len: u64,
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
/// `FIEMAP_EXTENT_UNKNOWN`, `_DELALLOC`, `_ENCODED`, `_DATA_INLINE` and `_DATA_TAIL`: the address means nothing.
const NOWHERE: u32 = 0x2 | 0x4 | 0x8 | 0x200 | 0x400;

/// The extents of a file that have an address.
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
        extents.extend(found.iter().filter(|record| record.flags & NOWHERE == 0).map(|record| Extent {
            logical: record.logical,
            physical: record.physical,
            len: record.len,
        }));
        match found.last() {
            Some(record) if record.flags & LAST == 0 && record.len > 0 => start = record.logical + record.len,
            _ => return Ok(extents),
        }
    }
}

const _: () = assert!(size_of::<Request>() == 32 + ROOM * 56 && size_of::<Record>() == 56);
