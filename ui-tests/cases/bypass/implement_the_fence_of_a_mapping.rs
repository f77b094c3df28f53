//! A type of one's own claims to be durable once it was fenced.

use indelible::mapping::FlushedBytes;

struct Mine;

impl<M> FlushedBytes<M> for Mine {
    type Persisted = Mine;
}

fn main() {}
