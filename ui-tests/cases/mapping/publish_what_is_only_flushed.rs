//! A format's own function wants to see that the record is durable, and the record is only flushed.

use indelible::mapping::{Bytes, Mapping, Part};
use indelible::medium::{Emulated, Writable};
use indelible::state::Persisted;

fn publish<M: Writable>(
    count: Part<'_, M>,
    n: u64,
    _record: &Bytes<'_, Persisted, M>,
) -> indelible::Result<()> {
    count.store(n).fence()?;
    Ok(())
}

fn main() -> indelible::Result<()> {
    let mut mapping: Mapping<Emulated> = Mapping::new(4096)?;
    let [count, record] = mapping.parts([0..8, 64..128])?;
    let record = record.copy(&[7; 64]);
    publish(count, 1, &record)
}
