//! What the tests of several containers share.

use indelible::collections::Stored;
use indelible::medium::{MemoryFileSystem, PageCache};
use indelible::{Error, Options, Persistent, Region, Result, Tx};
use proptest::prelude::*;
use std::borrow::Borrow;
use std::fmt::Debug;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use zerocopy::{Immutable, IntoBytes};

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Commit,
    Abort,
    Panic,
}

/// Runs a transaction with this end; whether it was committed.
pub fn transact<R: Persistent>(
    region: &mut Region<R, PageCache>,
    end: End,
    f: impl for<'t> FnOnce(&Tx<'t, PageCache>, &'t R) -> Result<()>,
) -> bool {
    let ended = catch_unwind(AssertUnwindSafe(|| {
        region.transact(|tx, root| {
            f(tx, root)?;
            match end {
                End::Commit => Ok(()),
                End::Abort => Err(Error::other("aborted")),
                End::Panic => std::panic::resume_unwind(Box::new("as ordered")),
            }
        })
    }));
    match (end, ended) {
        (End::Commit, Ok(Ok(()))) => true,
        (End::Abort, Ok(Err(Error::Other { .. }))) => false,
        (End::Panic, Err(payload)) if payload.downcast_ref() == Some(&"as ordered") => false,
        (_, Ok(Err(error))) => panic!("{error}"),
        (_, Err(payload)) => std::panic::resume_unwind(payload),
        (_, Ok(Ok(()))) => panic!("committed"),
    }
}

pub fn open<R: Persistent + Default>(path: &Path) -> Region<R, PageCache> {
    let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
    // SAFETY: the file is in a folder of this test's own.
    unsafe { options.open_or_create(path, 1 << 20, R::default) }.unwrap()
}

pub fn ends() -> impl Strategy<Value = End> {
    prop_oneof![6 => Just(End::Commit), 1 => Just(End::Abort), 1 => Just(End::Panic)]
}

/// Types of keys and values, made from numbers.
pub trait Kind: 'static {
    type K: Stored + Ord + Hash + IntoBytes + Immutable + Debug + ?Sized;
    type V: Stored + PartialEq + Debug + ?Sized;
    type Key: Borrow<Self::K> + Ord + Hash + Clone + Debug;
    type Value: Borrow<Self::V> + PartialEq + Clone + Debug;
    fn key(n: u32) -> Self::Key;
    fn value(n: u32) -> Self::Value;
}

/// 20 bytes in the node: three nodes of eight to a leaf.
pub struct Fixed;
impl Kind for Fixed {
    type K = u32;
    type V = [u8; 20];
    type Key = u32;
    type Value = [u8; 20];
    fn key(n: u32) -> u32 {
        n
    }
    fn value(n: u32) -> [u8; 20] {
        let mut value = [7; 20];
        value[8..12].copy_from_slice(&n.to_le_bytes());
        value
    }
}

/// More than a kilobyte for eight: one node to a leaf.
pub struct Large;
impl Kind for Large {
    type K = [u8; 16];
    type V = [u64; 25];
    type Key = [u8; 16];
    type Value = [u64; 25];
    fn key(n: u32) -> [u8; 16] {
        let mut key = *b"some key........";
        key[8..12].copy_from_slice(&n.to_be_bytes());
        key
    }
    fn value(n: u32) -> [u64; 25] {
        [u64::from(n); 25]
    }
}

/// Everything behind links.
pub struct Text;
impl Kind for Text {
    type K = str;
    type V = [u16];
    type Key = String;
    type Value = Vec<u16>;
    fn key(n: u32) -> String {
        format!("{n:b}")
    }
    fn value(n: u32) -> Vec<u16> {
        vec![n as u16; n as usize % 70]
    }
}
