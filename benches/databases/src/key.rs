//! [`Key`]: what entries are found by.

use zerocopy::{Immutable, IntoBytes};

/// Bytes of a value.
pub const VALUE: usize = 100;

pub trait Key:
    indelible::Persistent<Links = indelible::No> + IntoBytes + Immutable + Copy + Ord + std::hash::Hash
{
    const NAME: &'static str;
    fn new(n: u64) -> Self;
    /// In an order that is the keys' own.
    fn bytes(&self) -> impl AsRef<[u8]>;
}

impl Key for u64 {
    const NAME: &'static str = "u64";
    fn new(n: u64) -> Self {
        n
    }
    fn bytes(&self) -> impl AsRef<[u8]> {
        self.to_be_bytes()
    }
}

/// Text of 16 bytes.
impl Key for [u8; 16] {
    const NAME: &'static str = "16 bytes";
    fn new(n: u64) -> Self {
        format!("{n:016x}").into_bytes().try_into().expect("16 digits")
    }
    fn bytes(&self) -> impl AsRef<[u8]> {
        *self
    }
}
