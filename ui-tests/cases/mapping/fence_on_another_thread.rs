//! Bytes are flushed on one thread and fenced on another: a fence waits for the flushes of its own CPU.

use indelible::mapping::Mapping;

fn on_another_thread<T: Send>(_: T) {}

fn main() -> indelible::Result<()> {
    let mut mapping = Mapping::new(4096)?;
    let record = mapping.part(64..128)?;
    let record = record.copy(&[7; 64]);
    on_another_thread(record);
    Ok(())
}
