//! The one error type. Each variant carries the facts that are needed to act, and says what to do next.

use std::fmt;
use std::io;
use std::ops::Range;
use std::panic::Location;
use std::path::{Path, PathBuf};

/// What every fallible call of this crate answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a region could not be opened, created or changed.
///
/// An error from `open` or `create` leaves the file as it was. An error from a transaction leaves the
/// published state as it was, with the one exception that [`Error::OutcomeUnknown`] names.
///
/// `{:?}` shows the variant's name and the message, because it is what `unwrap` prints, and a `main` that answers
/// an error.
///
/// ```
/// # use indelible::Region;
/// let error = Region::new(100, 0_u64).unwrap_err();
/// assert!(matches!(error, indelible::Error::TooSmall { .. }));
/// assert_eq!(format!("{error:?}"), format!("TooSmall: {error}"));
/// ```
#[non_exhaustive]
#[derive(thiserror::Error)]
pub enum Error {
    /// A system call failed for a reason that has no variant of its own.
    #[error("{path}: {op} failed: {source}; nothing was changed", path = .path.display())]
    Io {
        /// The system call.
        op: &'static str,
        /// The region file.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// `open` found no file.
    #[error("{}: there is no such file; make the region with `create` or `open_or_create`", .path.display())]
    NotFound {
        /// The path that was given.
        path: PathBuf,
    },
    /// The folder that is to hold the region is missing, or is no folder.
    #[error("{}: there is no such folder; make the folder first, or check the path", .path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The path is a symbolic link, and where it leads there is nothing.
    #[error("{}: a symbolic link to {}, where there is nothing; use that path, or remove the link", .path.display(), .target.display())]
    DanglingSymlink {
        /// The path that was given.
        path: PathBuf,
        /// What the link says.
        target: PathBuf,
    },
    /// `create` found a file: it never replaces one.
    #[error("{}: the file exists and is never replaced; open it, or remove it first", .path.display())]
    Exists {
        /// The path that was given.
        path: PathBuf,
    },
    /// The file, or a folder on its path, may not be used by this user.
    #[error("{}: permission denied; a region needs read and write access (`create` and `migrate` write access to the folder too, `medium::Snapshot` read access only)", .path.display())]
    PermissionDenied {
        /// The path that was given.
        path: PathBuf,
    },
    /// The file system is mounted read only.
    #[error("{}: the file system is read-only; a region needs one that can be written, unless it is opened on `medium::Snapshot`", .path.display())]
    ReadOnly {
        /// The path that was given.
        path: PathBuf,
    },
    /// The path is a folder, a socket, a disk: nothing that a region can live in.
    #[error("{}: this is {found}, and a region lives in a regular file or a device-DAX character device; give the path of one", .path.display())]
    NotAFile {
        /// The path that was given.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// Everybody may write to the file, and truncate it while it is mapped.
    #[error("{}: everybody may write to this file (mode {mode:03o}), and could change or truncate it while it is open; take that away (`chmod o-w`), or say `Options::allow_world_writable`", .path.display())]
    WorldWritable {
        /// The path that was given.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file belongs to another user, who can change and truncate it while it is mapped.
    #[error("{}: this file belongs to user {owner}, who could change or truncate it while user {user} has it open; copy it to a file of your own, or say `Options::allow_other_owner`", .path.display())]
    OtherOwner {
        /// The path that was given.
        path: PathBuf,
        /// The user whose file it is.
        owner: u32,
        /// The effective user of this process.
        user: u32,
    },
    /// Symbolic links that lead in a circle.
    #[error("{}: too many symbolic links; check where they lead", .path.display())]
    SymlinkLoop {
        /// The path that was given.
        path: PathBuf,
    },
    /// Another process, or another `Region` of this one, has the file open.
    #[error("{}: the region is open in another process or elsewhere in this one; close it there first (`fuser -v` names who has it: a child that a killed process has forked counts until it ends)", .path.display())]
    Locked {
        /// The path that was given.
        path: PathBuf,
    },
    /// The file does not begin with the magic bytes of a region.
    #[error("{}: not an indelible region (it begins with {found:02x?}); check the path", .path.display())]
    NotARegion {
        /// The path that was given.
        path: PathBuf,
        /// Its first eight bytes, or fewer if it has no more.
        found: Vec<u8>,
    },
    /// The device holds a region already; `create` does not overwrite it.
    #[error("{}: the device holds a region already; open it, or wipe its first page if it is not wanted", .path.display())]
    DeviceInUse {
        /// The device.
        path: PathBuf,
    },
    /// The file was written by a newer version of this crate.
    #[error("{}: region format {found}, and this version reads up to {supported}; use a newer indelible", .path.display())]
    NewerFormat {
        /// The region file.
        path: PathBuf,
        /// The format version in the file.
        found: u32,
        /// The newest that this version of the crate knows.
        supported: u32,
    },
    /// The region was made for other types.
    #[error("{}: the region holds other types than this program:\n{difference}open it with the types it was made with, or turn it into a region of these with `Region::migrate`", .path.display())]
    SchemaMismatch {
        /// The region file.
        path: PathBuf,
        /// Field by field: lines that begin with `-` are in the file only, with `+` in the program only.
        difference: String,
    },
    /// `migrate` was asked to go from one type to another that looks the same.
    #[error("{}: the old root type and the new one have the same schema, so that nobody could tell which the file holds; give the new root type another name", .path.display())]
    SameSchema {
        /// The region file.
        path: PathBuf,
    },
    /// The file ends before the region does.
    #[error("{}: the file has {len} bytes and its header needs {needed}: it was truncated; restore it from a copy", .path.display())]
    Truncated {
        /// The region file.
        path: PathBuf,
        /// Its size in bytes.
        len: u64,
        /// The least size that the header allows, in bytes.
        needed: u64,
    },
    /// Something in the file is not as it was written.
    #[error("{}: {place} is damaged at offset {offset:#x}: found {found}, expected {expected}; restore the file from a copy", .path.display())]
    Damaged {
        /// The region file.
        path: PathBuf,
        /// `header`, `schema`, `journal`, or the path of an object from the root: `root.accounts.next`; `a map` where a
        /// change of a map finds what opening does not look for (see [`collections`](crate::collections)).
        place: String,
        /// Where in the file, in bytes.
        offset: u64,
        /// What is there.
        found: String,
        /// What should be there.
        expected: String,
    },
    /// The length asked for holds no region with this root and journal.
    #[error(
        "a region of {len} bytes can't hold its header, journal and root; ask for at least {needed} bytes"
    )]
    TooSmall {
        /// What was asked for, in bytes.
        len: u64,
        /// The least that will do, in bytes.
        needed: u64,
    },
    /// No region is so long.
    #[error("{len} bytes are too many: a region has at most {most}; ask for less, or check the path")]
    TooLarge {
        /// What was asked for, or the size of the file, in bytes.
        len: u64,
        /// The most that a region may have, in bytes.
        most: u64,
    },
    /// No mapping has this length.
    #[error(
        "a mapping of {len} bytes can't be had: its length is a whole number of pages of 4096 bytes, from one to {most} bytes; make or cut the file so"
    )]
    BadMappingLength {
        /// What was asked for, or the size of the file, in bytes.
        len: u64,
        /// The most that a mapping may have, in bytes.
        most: u64,
    },
    /// A part lies outside the mapping.
    #[error("the part {}..{} is not inside the mapping, which has {len} bytes; check the offsets of the format", .range.start, .range.end)]
    PartOutside {
        /// The range that was given, in bytes from the mapping's start.
        range: std::ops::Range<usize>,
        /// The mapping's length, in bytes.
        len: usize,
    },
    /// Two parts have bytes in common.
    #[error("the parts {}..{} and {}..{} overlap, and each byte has one writer; split them where they meet", .first.start, .first.end, .second.start, .second.end)]
    PartsOverlap {
        /// A range that was given, in bytes from the mapping's start.
        first: std::ops::Range<usize>,
        /// One that has bytes in common with it.
        second: std::ops::Range<usize>,
    },
    /// An option has a value that can't be used.
    #[error("option {option}: {reason}")]
    BadOption {
        /// The method of `Options`.
        option: &'static str,
        /// What is wrong, and what to give instead.
        reason: &'static str,
    },
    /// The file system or device does not grant `MAP_SYNC`.
    #[error("{}: the kernel does not grant MAP_SYNC here, so flushed data could be lost with the file system's own metadata; put the file on a file system mounted with `-o dax` on persistent memory, or use `PageCache` or `Auto`", .path.display())]
    NotDax {
        /// The path that was given.
        path: PathBuf,
    },
    /// The device-DAX device is given to file systems (famfs), and no program can map it.
    #[error("{}: this device is in the hands of the driver `{driver}`, which lets a file system use it and no program map it; use a file on that file system (famfs), or give the device back with `daxctl reconfigure-device --mode=devdax`", .path.display())]
    DeviceMode {
        /// The device.
        path: PathBuf,
        /// The driver that it is bound to.
        driver: String,
    },
    /// `MAP_SYNC` is granted, and the kernel does not say that the memory survives a power failure.
    #[error("{}: the kernel names no persistence domain for this memory ({looked_at}): it may be DRAM made to look like persistent memory; use `PageCache`, or vouch for it with `Options::assume_persistence_domain`", .path.display())]
    NoPersistenceDomain {
        /// The path that was given.
        path: PathBuf,
        /// Where in sysfs it was looked for.
        looked_at: String,
    },
    /// The kernel knows of blocks of this file that can't be read any more.
    #[error("{}: the memory has bad blocks in this file, at bytes {}; restore the file from a copy (into a new file, or onto a device after `ndctl clear-errors`), or save what can be read with `Options::allow_bad_blocks`", .path.display(), listed(.ranges))]
    BadBlocks {
        /// The region file or device.
        path: PathBuf,
        /// Where they are, in bytes from its start.
        ranges: Vec<Range<u64>>,
    },
    /// The memory lost power without saving everything while the region was in use, so that what was durable by
    /// all rules may be gone.
    #[error("{}: the memory lost power without saving everything while the region was in use (its unsafe-shutdown count was {recorded} and is {found}), so committed data may be missing or old; restore the file from a copy, or check it and open it with `Options::accept_unsafe_shutdown`", .path.display())]
    UnsafeShutdown {
        /// The region file or device.
        path: PathBuf,
        /// The count when the region was opened or created last.
        recorded: u64,
        /// The count now.
        found: u64,
    },
    /// The CPU has no instruction that this crate can flush with.
    #[error(
        "this CPU can't flush to persistent memory: {reason}; use `PageCache`, which needs no such instruction"
    )]
    NoFlushInstruction {
        /// What is missing.
        reason: &'static str,
    },
    /// A file system that lives in memory.
    #[error("{}: {name} keeps its files in memory and loses them with the power; use a disk file system, or say `Options::allow_memory_file_system` if that is what you want", .path.display())]
    MemoryFileSystem {
        /// The path that was given.
        path: PathBuf,
        /// `tmpfs`, `ramfs` or `hugetlbfs`.
        name: &'static str,
    },
    /// The medium can't do what was asked of it.
    #[error("{}: {what}", .path.display())]
    Unsupported {
        /// The region file.
        path: PathBuf,
        /// What is missing, and what to do instead.
        what: &'static str,
    },
    /// The file system has no room for the blocks that the region needs.
    #[error("{}: no space left for {needed} bytes; make room on the file system and try again, nothing was changed", .path.display())]
    DiskFull {
        /// The region file.
        path: PathBuf,
        /// The size the file was to have, in bytes.
        needed: u64,
    },
    /// The address space for the mapping could not be had.
    #[error(
        "no address space for a mapping of {len} bytes: {source}; lower `Options::max_len` or raise the limit (`ulimit -v`)"
    )]
    AddressSpace {
        /// What was asked for, in bytes.
        len: u64,
        /// What the kernel answered.
        source: io::Error,
    },
    /// No free block is large enough, and the region may not grow further. So that what is full can be emptied, a
    /// part of the region (see [`Region`](crate::Region#when-it-is-full)) is for transactions only that give back
    /// as much as they take: others get this error at their commit.
    #[error(
        "no room for an object of {requested} bytes: the region has {len} bytes and may grow to {max_len} (a part is kept for transactions that give back as much as they take, so that removals work); free something, or open it with a larger `Options::max_len`"
    )]
    HeapFull {
        /// The object with its block header, in bytes.
        requested: u64,
        /// The region's size, in bytes.
        len: u64,
        /// How far it may grow, in bytes.
        max_len: u64,
    },
    /// The object is larger than any region can hold, or a slice has elements of size zero.
    #[error("an object of {len} elements of {size} bytes can't be stored: {reason}")]
    BadLength {
        /// Number of elements.
        len: usize,
        /// Size of one, in bytes.
        size: usize,
        /// What is wrong, and what to do instead.
        reason: &'static str,
    },
    /// The transaction changes more words than one journal record holds. Nothing was changed.
    #[error(
        "the transaction changes {words} published words and a journal record holds {capacity}; split it, build new objects and publish them with one word, or create the region with a larger `Options::journal_words`"
    )]
    JournalFull {
        /// Words that the transaction changes.
        words: usize,
        /// Words that one record holds.
        capacity: usize,
    },
    /// A log has no room for what was to be appended. Nothing of it was.
    #[error(
        "a log has no room for {needed} bytes in one piece: {used} of its {capacity} bytes are in use (space that this transaction truncates is free after it); truncate its front, or make it larger with `Log::resize`"
    )]
    LogFull {
        /// What all that this transaction appends takes, in bytes.
        needed: u64,
        /// Bytes in use, those included that a record left at the end of the ring because it did not fit.
        used: u64,
        /// Bytes in all; 0 if the log was not made yet ([`Log::create`](crate::collections::Log::create)).
        capacity: u64,
    },
    /// Numbers that are never used twice have come to their end. Nothing was changed.
    #[error("the {numbers} are used up, {last} was the last one; nothing was changed: {instead}")]
    UsedUp {
        /// What they number.
        numbers: &'static str,
        /// The last of them.
        last: u64,
        /// What to do instead.
        instead: &'static str,
    },
    /// The closure returned `Ok` and left objects without an owner. Nothing was changed.
    #[error(
        "{handles} object(s) were allocated or taken in this transaction and neither published, attached nor freed{}; do one of these with every handle (`tx.free` where it isn't wanted)",
        first_at(*.place)
    )]
    Orphaned {
        /// How many.
        handles: usize,
        /// Where the first of them was allocated or taken. Known in builds with debug assertions: others don't
        /// spend the time to remember it.
        place: Option<&'static Location<'static>>,
    },
    /// A rule was broken in this transaction and its panic was caught. Nothing was changed.
    #[error(
        "the transaction broke a rule and its panic was caught; nothing of it was committed, run it again without the mistake"
    )]
    Aborted,
    /// `close` in a child of `fork`, which has a copy of the `Region` and nothing of the region.
    #[error(
        "the region was opened by process {opened}, and this is process {this}, which `fork` made: it has neither the region's memory nor its lock; close it where it was opened"
    )]
    OtherProcess {
        /// The process that opened it.
        opened: u32,
        /// This process.
        this: u32,
    },
    /// A write-back failed while a region was made or opened, so that there is none in this process.
    #[error(
        "{}: the device did not take what was written ({reason}), so that the region is not open; nothing that was committed is lost: check the device, then try again",
        .path.display()
    )]
    NotWrittenBack {
        /// The region file.
        path: PathBuf,
        /// What failed.
        reason: String,
    },
    /// A write-back failed, so that nothing more can be promised for what is in memory.
    #[error(
        "the region is poisoned: an earlier write-back failed ({reason}), and the pages concerned may hold old data; close it, check the device, open it again"
    )]
    Poisoned {
        /// What failed.
        reason: String,
    },
    /// The fence of the commit itself failed.
    #[error(
        "the fence of the commit failed ({reason}): whether the transaction is durable is unknown until the region is opened again; the region is poisoned, close and reopen it"
    )]
    OutcomeUnknown {
        /// What failed.
        reason: String,
    },
    /// An application's own reason to abort a transaction, made with [`Error::other`].
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        macro_rules! name_of {
            ($($variant:ident),*) => {
                match self {
                    $(Error::$variant { .. } => stringify!($variant),)*
                }
            };
        }
        let name = name_of! {
            Io, NotFound, NoFolder, DanglingSymlink, Exists, PermissionDenied, ReadOnly, NotAFile,
            WorldWritable, OtherOwner, SymlinkLoop, Locked, NotARegion, DeviceInUse, NewerFormat,
            SchemaMismatch, SameSchema, Truncated, Damaged, TooSmall, TooLarge, BadMappingLength,
            PartOutside, PartsOverlap, BadOption, NotDax, DeviceMode, NoPersistenceDomain, BadBlocks,
            UnsafeShutdown, NoFlushInstruction, MemoryFileSystem, Unsupported, DiskFull,
            AddressSpace, HeapFull, BadLength, JournalFull, LogFull, UsedUp, Orphaned, Aborted,
            OtherProcess, Poisoned, NotWrittenBack, OutcomeUnknown, Other
        };
        write!(f, "{name}: {self}")
    }
}

impl Error {
    /// An application's own reason to abort: return it from the closure of `transact`.
    ///
    /// ```
    /// # use indelible::Error;
    /// let error = Error::other("insufficient funds");
    /// assert_eq!(error.to_string(), "insufficient funds");
    /// ```
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Other(error.into())
    }

    /// The typed error for what a system call answered.
    pub(crate) fn from_io(op: &'static str, path: &Path, source: io::Error) -> Self {
        use rustix::io::Errno;
        let path = path.to_path_buf();
        match source.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOENT) => Error::NotFound { path },
            Some(Errno::EXIST) => Error::Exists { path },
            Some(Errno::ACCESS | Errno::PERM) => Error::PermissionDenied { path },
            Some(Errno::ROFS) => Error::ReadOnly { path },
            Some(Errno::ISDIR) => Error::NotAFile { path, found: "a folder" },
            Some(Errno::LOOP) => Error::SymlinkLoop { path },
            _ => Error::Io { op, path, source },
        }
    }

    /// The error for something in the file that is not as it was written.
    pub(crate) fn damaged(
        path: &Path,
        place: impl Into<String>,
        offset: usize,
        found: impl ToString,
        expected: impl ToString,
    ) -> Self {
        Error::Damaged {
            path: path.to_path_buf(),
            place: place.into(),
            offset: offset as u64,
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }
}

/// The first place of several, where it is known.
fn first_at(place: Option<&Location<'_>>) -> String {
    place.map_or_else(String::new, |place| format!(" (the first of them at {place})"))
}

/// Ranges as a text, the first few of them.
fn listed(ranges: &[Range<u64>]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> =
        ranges.iter().take(SHOWN).map(|range| format!("{:#x} to {:#x}", range.start, range.end)).collect();
    match ranges.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
