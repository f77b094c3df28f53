//! A format for persistent memory wants evidence from there, and gets it from plain memory.

use indelible::mapping::{Bytes, Mapping};
use indelible::medium::MapSync;
use indelible::state::Persisted;

fn count_in(_: &Bytes<'_, Persisted, MapSync>) {}

fn main() -> indelible::Result<()> {
    let mut mapping = Mapping::new(4096)?;
    let record = mapping.part(64..128)?;
    let record = record.copy_persist(&[7; 64])?;
    count_in(&record);
    Ok(())
}
