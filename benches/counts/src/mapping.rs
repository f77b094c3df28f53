//! As `main.rs`, for a mapping without a region.

mod rounds;

use indelible::Result;
use indelible::mapping::Mapping;
use rounds::Rounds;

fn main() -> Result<()> {
    let rounds = Rounds::from_arguments();
    let mut mapping = Mapping::new(1 << 20)?;
    match &rounds.work[..] {
        // A word, and then 256 bytes, durable.
        "mapping-store" => rounds.run(|n| mapping.part(0..8)?.store(n).fence().map(drop)),
        "mapping-copy" => rounds.run(|_| mapping.part(0..256)?.copy_persist(&[7; 256]).map(drop)),
        work => panic!("there is no work {work}"),
    }
}
