//! A part is written, and written again by its old name before the first is durable.

use indelible::mapping::Mapping;

fn main() -> indelible::Result<()> {
    let mut mapping = Mapping::new(4096)?;
    let record = mapping.part(64..128)?;
    let first = record.copy(&[1; 64]);
    let second = record.copy(&[2; 64]);
    let (first, second) = Mapping::fence((first, second))?;
    assert_ne!(first[0], second[0]);
    Ok(())
}
