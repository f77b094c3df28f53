//! Bytes are changed after they were made durable, while something may rely on that.

use indelible::mapping::Mapping;

fn main() -> indelible::Result<()> {
    let mut mapping = Mapping::new(4096)?;
    let record = mapping.part(64..128)?;
    let record = record.copy_persist(&[7; 64])?;
    record.fill(0);
    Ok(())
}
