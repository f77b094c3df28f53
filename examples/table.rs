//! A hash table that doubles its buckets: all entries move, and one published word changes. With a crash test.
//! (`indelible::collections` has a hash map to use; this one is to read.)
//!
//! ```text
//! cargo run --example table
//! cargo test --example table
//! ```

// ANCHOR: types
use indelible::medium::Medium;
use indelible::state::Flushed;
use indelible::{Link, Persistent, Pm, Region, Result, Tx};

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    key: u64,
    value: u64,
    next: Link<Entry>,
}

/// The number of buckets is a power of two.
#[derive(Persistent)]
#[repr(C)]
struct Table {
    buckets: Link<[Link<Entry>]>,
}
// ANCHOR_END: types

fn bucket(key: u64, buckets: usize) -> usize {
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & (buckets - 1)
}

// ANCHOR: resize
/// Builds a table with other buckets from copies of all entries, and publishes it with one word.
fn resize<'t, M: Medium>(tx: &Tx<'t, M>, table: &'t Table, buckets: usize) -> Result<()> {
    let mut chains: Vec<Option<Pm<'t, Entry, Flushed>>> = (0..buckets).map(|_| None).collect();
    for slot in tx.get(&table.buckets).unwrap_or_default() {
        let mut rest = tx.take(slot);
        while let Some(entry) = rest {
            rest = tx.take(&entry.get().next);
            let chain = &mut chains[bucket(entry.get().key, buckets)];
            let mut copy = tx.rewrite(entry)?;
            tx.attach(&mut copy, |copy| &copy.next, chain.take());
            *chain = Some(tx.flush(copy));
        }
    }
    let mut new = tx.alloc_slice_with(buckets, |_| Link::null())?;
    for (index, chain) in chains.into_iter().enumerate() {
        tx.attach(&mut new, |new| &new[index], chain);
    }
    let new = tx.persist(new)?; // one fence for the buckets and all entries
    tx.free(tx.replace(&table.buckets, new));
    Ok(())
}
// ANCHOR_END: resize

// ANCHOR: insert
fn insert<'t, M: Medium>(tx: &Tx<'t, M>, table: &'t Table, key: u64, value: u64) -> Result<()> {
    let buckets = tx.get(&table.buckets).unwrap_or_default();
    let slot = &buckets[bucket(key, buckets.len())];
    let mut entry = tx.alloc(Entry { key, value, next: Link::null() })?;
    tx.attach(&mut entry, |entry| &entry.next, tx.take(slot));
    tx.publish(slot, tx.persist(entry)?);
    Ok(())
}
// ANCHOR_END: insert

fn get(table: &Table, key: u64) -> Option<u64> {
    let buckets = table.buckets.get()?;
    let mut slot = &buckets[bucket(key, buckets.len())];
    while let Some(entry) = slot.get() {
        if entry.key == key {
            return Some(entry.value);
        }
        slot = &entry.next;
    }
    None
}

fn main() -> Result<()> {
    let mut table = Region::new(1 << 20, Table { buckets: Link::null() })?;
    table.transact(|tx, table| resize(tx, table, 4))?;
    for key in 0..5_000 {
        let buckets = table.root().buckets.get().map_or(0, <[_]>::len);
        if key as usize == buckets {
            table.transact(|tx, table| resize(tx, table, 2 * buckets))?;
        }
        table.transact(|tx, table| insert(tx, table, key, key * key))?;
    }
    for key in 0..5_000 {
        assert_eq!(get(table.root(), key), Some(key * key));
    }
    assert_eq!(get(table.root(), 5_000), None);
    let buckets = table.root().buckets.get().map_or(0, <[_]>::len);
    println!("5000 entries in {buckets} buckets");
    assert_eq!(table.usage()?.objects, 5_002, "the root, the buckets, and the entries");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use indelible::power::{Explorer, History, Log, Recorder};

    #[test]
    fn no_crash_shows_half_a_resize() {
        let workload = |table: &mut Region<Table, Recorder>, log: &Log<u64>| {
            table.transact(|tx, table| resize(tx, table, 2))?;
            for key in 0..4 {
                log.begin(key);
                table.transact(|tx, table| insert(tx, table, key, key + 7))?;
                log.acknowledge();
            }
            table.transact(|tx, table| resize(tx, table, 4))
        };
        let check = |table: &Table, history: &History<u64>| {
            let found: Vec<Option<u64>> = (0..4).map(|key| get(table, key)).collect();
            for key in 0..4 {
                let value = found[key as usize];
                assert!(value.is_none() || value == Some(key + 7));
                assert!(value.is_some() || !history.acknowledged().contains(&key), "{key} is missing");
            }
        };
        let report = Explorer::new(|| Table { buckets: Link::null() }, workload, check).run();
        assert!(report.assert().is_exhaustive());
    }

    #[test]
    fn the_example_runs() {
        main().unwrap();
    }
}
