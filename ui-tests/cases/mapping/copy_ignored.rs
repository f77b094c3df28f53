//! Bytes are copied and flushed, and nobody waits for the flush.

#![deny(unused_must_use)]

use indelible::mapping::Mapping;

fn main() -> indelible::Result<()> {
    let mut mapping = Mapping::new(4096)?;
    let record = mapping.part(64..128)?;
    record.copy(&[7; 64]);
    Ok(())
}
