#![deny(unsafe_code)]
#![doc = "draft"]

#[cfg(not(all(target_os = "linux", target_pointer_width = "64", target_endian = "little")))]
compile_error!("indelible runs on 64-bit little-endian Linux only: it needs MAP_SYNC and 8-byte words");
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("indelible knows the persistence instructions of x86-64 and aarch64 only");

extern crate self as indelible;

mod error;
mod flush;
mod link;
pub mod medium;
mod persistent;
mod pm;
#[cfg(feature = "power")]
pub mod power;
mod region;
pub mod state;
mod tx;
mod word;

pub use error::{Error, Result};
pub use indelible_derive::Persistent;
pub use link::Link;
pub use persistent::{Flag, No, Persistent, Target, Yes};
pub use pm::{Child, Pm, Taken};
pub use region::{Options, Region, Usage};
pub use tx::{Attach, Committed, Fence, Flush, Owned, Publish, Read, Stage, Tx};
pub use word::Word;

/// What the derive's expansion uses. Not part of the API.
#[doc(hidden)]
pub mod __private {
    pub use crate::persistent::{
        Arg, FINGERPRINT_MASK, Field, Kind, TypeInfo, Variant, Visitor, fold_id, name_id,
    };
    pub use zerocopy;
}
