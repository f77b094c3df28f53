//! Of two runs of bytes that share a fence, one was not flushed.

use indelible::mapping::Mapping;

fn main() -> indelible::Result<()> {
    let mut mapping = Mapping::new(4096)?;
    let [first, second] = mapping.parts([0..64, 64..128])?;
    let (first, second) = (first.copy(&[1; 64]), second.write());
    let (first, second) = Mapping::fence((first, second))?;
    assert_eq!(first[0] + second[0], 1);
    Ok(())
}
