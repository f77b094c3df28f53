//! The least that a change of a copy-on-write map can cost: an object is published in the place of another, which is
//! freed, where everything is in the cache.

use crate::stores::Value;
use indelible::collections::BTreeMap;
use indelible::{Link, Region};
use std::time::Instant;

/// Prints nanoseconds for a commit: the least of the turns' means.
pub fn run() {
    println!("commit,ns");
    for len in [100, 880] {
        let bytes = vec![1; len];
        let mut region = Region::new(1 << 20, Link::<[u8]>::null()).unwrap();
        let least = least_of(|| {
            let swap = region.transact(|tx, slot| {
                let new = tx.flush(tx.alloc_slice(&bytes)?);
                let old = tx.take(slot);
                tx.stage(slot, new);
                tx.free(old);
                Ok(())
            });
            swap.unwrap();
        });
        println!("an object of {len} bytes,{least:.0}");
    }
    let mut region = Region::new(1 << 20, BTreeMap::<u64, Value>::new()).unwrap();
    region.transact(|tx, map| map.rebuild(tx, (0..100).map(|key| (key, [1; 100])))).unwrap();
    let mut key = 0;
    let least = least_of(|| {
        key = (key + 37) % 100;
        region.transact(|tx, map| map.insert(tx, &key, &[2; 100]).map(drop)).unwrap();
    });
    println!("a value of 100 bytes in a tree of 100,{least:.0}");
}

fn least_of(mut commit: impl FnMut()) -> f64 {
    let turn = |_| {
        let start = Instant::now();
        (0..2000).for_each(|_| commit());
        start.elapsed().as_nanos() as f64 / 2000.0
    };
    (0..200).map(turn).fold(f64::MAX, f64::min)
}
