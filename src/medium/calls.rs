//! What a medium asks of the kernel that nobody sees in the result: to make something durable, to forget it, to
//! name it. The tests of this crate look at it, and at its order; without them nothing is kept.

use rustix::fd::AsFd;
use rustix::io::{Errno, retry_on_intr};
use std::ffi::OsString;
use std::ops::Range;

/// What the kernel was asked for, and has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// `fsync` of the file or folder with this inode.
    Sync(u64),
    /// `msync` of these bytes.
    Msync(Range<usize>),
    /// The clean pages of the file with this inode are to be read anew.
    Forget(u64),
    /// A file got this name, beside others that it may have.
    Link(OsString),
    /// A file got this name in place of its own, and in place of the file that had it.
    Rename(OsString),
}

/// `fsync` of a file or folder.
pub(crate) fn fsync(file: impl AsFd) -> Result<(), Errno> {
    retry_on_intr(|| rustix::fs::fsync(&file))?;
    note(|| Call::Sync(rustix::fs::fstat(&file).map_or(0, |stat| stat.st_ino)));
    Ok(())
}

#[cfg(not(test))]
#[inline(always)]
pub(crate) fn note(_: impl FnOnce() -> Call) {}

#[cfg(test)]
pub(crate) use seen::{during, note, so_far};

#[cfg(test)]
mod seen {
    use super::Call;
    use std::cell::RefCell;

    thread_local! {
        static CALLS: RefCell<Vec<Call>> = const { RefCell::new(Vec::new()) };
    }

    pub(crate) fn note(call: impl FnOnce() -> Call) {
        CALLS.with_borrow_mut(|calls| calls.push(call()));
    }

    /// What this thread has asked for since `during` began.
    pub(crate) fn so_far() -> Vec<Call> {
        CALLS.with_borrow(Clone::clone)
    }

    /// What this thread asks for while `act` runs.
    pub(crate) fn during<X>(act: impl FnOnce() -> X) -> (X, Vec<Call>) {
        CALLS.take();
        (act(), CALLS.take())
    }
}
