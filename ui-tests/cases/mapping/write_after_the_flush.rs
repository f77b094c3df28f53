//! Bytes are changed between their flush and their fence.

use indelible::mapping::Mapping;

fn main() -> indelible::Result<()> {
    let mut mapping = Mapping::new(4096)?;
    let record = mapping.part(64..128)?;
    let record = record.write().flush();
    record[0] = 1;
    record.fence()?;
    Ok(())
}
