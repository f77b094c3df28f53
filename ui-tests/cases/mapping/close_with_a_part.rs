//! The mapping is closed while a part of it is held.

use indelible::mapping::Mapping;

fn main() -> indelible::Result<()> {
    let mut mapping = Mapping::new(4096)?;
    let record = mapping.part(64..128)?;
    mapping.close()?;
    record.copy(&[7; 64]).fence()?;
    Ok(())
}
