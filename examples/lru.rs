//! A cache that outlives its process: a fixed number of places, and the least recently used entry makes room.
//! What was used when is kept in plain memory, because nobody misses it after a restart. With a crash test.
//!
//! ```text
//! cargo run --example lru
//! cargo test --example lru
//! ```

// ANCHOR: types
use indelible::medium::{Emulated, Medium, Writable};
use indelible::{Link, Persistent, Region, Result, Tx};

const PLACES: usize = 4;

#[derive(Persistent)]
#[repr(C)]
struct Entry {
    key: u64,
    value: Link<str>,
}

#[derive(Persistent)]
#[repr(C)]
struct Places {
    entries: [Link<Entry>; PLACES],
}

/// The part that persists, and the part that need not.
struct Cache<M: Writable> {
    region: Region<Places, M>,
    /// For each place, when it was last used.
    used: [u64; PLACES],
    now: u64,
}
// ANCHOR_END: types

// ANCHOR: fill
/// One published word: the link of the place.
fn fill<'t, M: Medium>(tx: &Tx<'t, M>, place: &'t Link<Entry>, key: u64, value: &str) -> Result<()> {
    let mut entry = tx.alloc(Entry { key, value: Link::null() })?;
    let value = tx.flush(tx.alloc_str(value)?);
    tx.attach(&mut entry, |entry| &entry.value, value);
    let entry = tx.persist(entry)?; // one fence for both
    tx.free(tx.replace(place, entry)); // the old entry goes, and its value with it
    Ok(())
}
// ANCHOR_END: fill

// ANCHOR: methods
impl<M: Writable> Cache<M> {
    fn new(region: Region<Places, M>) -> Self {
        Cache { region, used: [0; PLACES], now: 0 }
    }

    fn place(&self, key: u64) -> Option<usize> {
        let holds_key = |entry: &Link<Entry>| entry.get().is_some_and(|entry| entry.key == key);
        self.region.root().entries.iter().position(holds_key)
    }

    /// No store to persistent memory, and so no flush and no fence.
    fn get(&mut self, key: u64) -> Option<&str> {
        let place = self.place(key)?;
        self.now += 1;
        self.used[place] = self.now;
        self.region.root().entries[place].get()?.value.get()
    }

    fn put(&mut self, key: u64, value: &str) -> Result<()> {
        let oldest = || (0..PLACES).min_by_key(|&place| self.used[place]).expect("there are places");
        let place = self.place(key).unwrap_or_else(oldest);
        self.region.transact(|tx, places| fill(tx, &places.entries[place], key, value))?;
        self.now += 1;
        self.used[place] = self.now;
        Ok(())
    }
}
// ANCHOR_END: methods

fn empty() -> Places {
    Places { entries: [const { Link::null() }; PLACES] }
}

fn main() -> Result<()> {
    let mut cache: Cache<Emulated> = Cache::new(Region::new(1 << 20, empty())?);
    for (key, value) in [(1, "one"), (2, "two"), (3, "three"), (4, "four")] {
        cache.put(key, value)?;
    }
    assert_eq!(cache.get(1), Some("one"));
    cache.put(5, "five")?; // 2 was not used for longest
    cache.put(3, "drei")?;
    for key in 1..=5 {
        println!("{key}: {}", cache.get(key).unwrap_or("-"));
    }
    let found: Vec<Option<String>> = (1..=5).map(|key| cache.get(key).map(str::to_string)).collect();
    let expected = [Some("one"), None, Some("drei"), Some("four"), Some("five")];
    assert_eq!(found, expected.map(|value| value.map(str::to_string)));
    assert_eq!(cache.region.usage()?.objects, 9, "the root, four entries and their values");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_runs() {
        main().unwrap();
    }

    #[test]
    fn no_crash_shows_an_entry_without_its_value() {
        use indelible::power::{Explorer, History, Log, Recorder};
        let workload = |region: &mut Region<Places, Recorder>, log: &Log<u64>| {
            for key in 1..=6 {
                log.begin(key);
                let (place, value) = (key as usize % PLACES, key.to_string());
                region.transact(|tx, places| fill(tx, &places.entries[place], key, &value))?;
                log.acknowledge();
            }
            Ok(())
        };
        let check = |places: &Places, history: &History<u64>| {
            for entry in places.entries.iter().filter_map(Link::get) {
                assert_eq!(entry.value.get(), Some(&entry.key.to_string()[..]));
                assert!(history.begun().contains(&entry.key));
            }
            for key in history.acknowledged() {
                let place = &places.entries[*key as usize % PLACES];
                assert!(place.get().is_some_and(|entry| entry.key >= *key), "{key} is missing");
            }
        };
        let report = Explorer::new(empty, workload, check).run();
        assert!(report.assert().is_exhaustive());
    }
}
