//! The mapping is read while a part of it is on its way to memory.

use indelible::mapping::Mapping;

fn main() -> indelible::Result<()> {
    let mut mapping = Mapping::new(4096)?;
    let record = mapping.part(64..128)?;
    let record = record.copy(&[1; 64]);
    assert_eq!(mapping.bytes()[64], 1);
    record.fence()?;
    Ok(())
}
