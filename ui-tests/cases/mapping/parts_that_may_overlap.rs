//! Parts are taken twice, and nothing would keep the second from overlapping the first.

use indelible::mapping::Mapping;

fn main() -> indelible::Result<()> {
    let mut mapping = Mapping::new(4096)?;
    let first = mapping.part(0..64)?;
    let second = mapping.part(32..96)?;
    let (first, second) = Mapping::fence((first.copy(&[1; 64]), second.copy(&[2; 64])))?;
    assert_ne!(first[0], second[0]);
    Ok(())
}
