//! Bytes are written and fenced, and never flushed.

use indelible::mapping::Mapping;

fn main() -> indelible::Result<()> {
    let mut mapping = Mapping::new(4096)?;
    let record = mapping.part(64..128)?;
    let mut record = record.write();
    record.fill(7);
    let record = Mapping::fence(record)?;
    assert_eq!(record[0], 7);
    Ok(())
}
