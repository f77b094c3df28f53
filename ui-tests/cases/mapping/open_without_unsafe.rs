//! A mapping is opened without the promise that nothing else writes to its file.

use indelible::mapping::Mapping;
use indelible::medium::PageCache;

fn main() -> indelible::Result<()> {
    Mapping::<PageCache>::open("/var/lib/records")?.close()
}
