//! What a crash leaves and the restart does not expect: each explorer runs the program's start again after
//! every recovery.

/// Row 7. A slot is marked as busy while its entry is written, for other threads to see. After a crash it is
/// busy for ever.
mod bug_07 {
    use crate::support::*;
    use indelible::power::{Explorer, History, Log, Recorder};
    use indelible::{Error, Persistent, Region, Result, Word};

    const EMPTY: u64 = 0;
    const BUSY: u64 = u64::MAX;

    #[derive(Persistent)]
    #[repr(C)]
    struct Slot {
        key: Word<u64>,
        value: Word<u64>,
    }

    #[derive(Persistent)]
    #[repr(C)]
    struct Segment {
        slots: [Slot; 2],
    }

    type Made = Region<Segment, Recorder>;

    fn entries(segment: &Segment) -> Vec<(u64, u64)> {
        let entries = segment.slots.iter().map(|slot| (slot.key.get(), slot.value.get()));
        entries.filter(|&(key, _)| key != EMPTY && key != BUSY).collect()
    }

    fn insert(segment: &mut Made, key: u64) -> Result<()> {
        let index = segment.transact(|tx, segment| {
            let empty = segment.slots.iter().position(|slot| slot.key.get() == EMPTY);
            let index = empty.ok_or_else(|| Error::other("no slot is empty"))?;
            // bug 7: busy for ever
            tx.store(&segment.slots[index].key, BUSY);
            Ok(index)
        })?;
        segment.transact(|tx, segment| {
            tx.store(&segment.slots[index].value, key * 10);
            Ok(())
        })?;
        segment.transact(|tx, segment| {
            tx.store(&segment.slots[index].key, key);
            Ok(())
        })
    }

    fn fill(segment: &mut Made) -> Result<()> {
        for key in entries(segment.root()).len() + 1..=2 {
            insert(segment, key as u64)?;
        }
        Ok(())
    }

    /// At the start nobody is writing: what is busy is left over.
    fn clean_up(segment: &mut Made) -> Result<()> {
        segment.transact(|tx, segment| {
            for slot in segment.slots.iter().filter(|slot| slot.key.get() == BUSY) {
                tx.store(&slot.key, EMPTY);
            }
            Ok(())
        })
    }

    fn explorer(start: fn(&mut Made) -> Result<()>) -> Explorer<Segment, ()> {
        let slot = || Slot { key: Word::new(EMPTY), value: Word::new(0) };
        let workload = |segment: &mut Made, log: &Log<()>| {
            fill(segment)?;
            log.begin(());
            log.acknowledge();
            Ok(())
        };
        let check = |segment: &Segment, history: &History<()>| {
            let entries = entries(segment);
            assert!(entries.iter().all(|&(key, value)| value == key * 10), "a key without its value");
            assert!(history.acknowledged().is_empty() || entries.len() == 2, "a key is missing");
        };
        let empty = move || Segment { slots: [slot(), slot()] };
        Explorer::new(empty, workload, check).then(move |segment, _| {
            start(segment)?;
            fill(segment)
        })
    }

    #[test]
    fn a_mark_that_survives_is_found() {
        let place = place(source!("restart.rs"), "bug 7: busy for ever");
        is_found(explorer(|_| Ok(())), "no slot is empty", &place);
    }

    #[test]
    fn a_mark_that_is_cleaned_up_passes() {
        passes(explorer(clean_up));
    }
}

/// Row 11. Garbage goes to the free list, and then it is garbage no more. After a crash between the two it is
/// freed again, and two owners get the same slot. (An object that this crate allocated can't be freed twice:
/// `free` takes its only handle. This is a program that keeps slots of its own.)
mod bug_11 {
    use crate::support::*;
    use indelible::power::{Explorer, History, Log, Recorder};
    use indelible::{Persistent, Region, Result, Word};

    #[derive(Persistent)]
    #[repr(C)]
    struct Slots {
        /// A stack of slot numbers, of which the first `count` are free.
        free: [Word<u64>; 4],
        count: Word<u64>,
        /// A slot that is to be freed, or 0.
        garbage: Word<u64>,
    }

    type Made = Region<Slots, Recorder>;

    fn collect_in_two_steps(slots: &mut Made) -> Result<()> {
        let garbage = slots.root().garbage.get();
        if garbage == 0 {
            return Ok(());
        }
        // bug 11: free, and still garbage
        slots.transact(|tx, slots| {
            let count = slots.count.get();
            tx.store(&slots.free[count as usize], garbage);
            tx.store(&slots.count, count + 1);
            Ok(())
        })?;
        slots.transact(|tx, slots| {
            tx.store(&slots.garbage, 0);
            Ok(())
        })
    }

    fn collect(slots: &mut Made) -> Result<()> {
        slots.transact(|tx, slots| {
            let (garbage, count) = (slots.garbage.get(), slots.count.get());
            if garbage != 0 {
                tx.store(&slots.free[count as usize], garbage);
                tx.store(&slots.count, count + 1);
                tx.store(&slots.garbage, 0);
            }
            Ok(())
        })
    }

    fn explorer(collect: fn(&mut Made) -> Result<()>) -> Explorer<Slots, ()> {
        let workload = move |slots: &mut Made, log: &Log<()>| {
            for slot in [3, 1] {
                slots.transact(|tx, slots| {
                    tx.store(&slots.garbage, slot);
                    Ok(())
                })?;
                collect(slots)?;
            }
            log.begin(());
            log.acknowledge();
            Ok(())
        };
        let none = || Slots { free: zeros(), count: Word::new(0), garbage: Word::new(0) };
        Explorer::new(none, workload, |slots, history: &History<()>| {
            let mut free: Vec<u64> = slots.free[..slots.count.get() as usize].iter().map(Word::get).collect();
            free.sort_unstable();
            assert!(free.windows(2).all(|pair| pair[0] != pair[1]), "a slot is free twice: {free:?}");
            assert!(history.acknowledged().is_empty() || free == [1, 3], "a slot leaked: {free:?}");
        })
        .then(move |slots, _| collect(slots))
    }

    #[test]
    fn garbage_that_is_freed_before_it_is_forgotten_is_found() {
        let place = place(source!("restart.rs"), "bug 11: free, and still garbage");
        is_found(explorer(collect_in_two_steps), "a slot is free twice", &place);
    }

    #[test]
    fn garbage_that_is_freed_and_forgotten_at_once_passes() {
        passes(explorer(collect));
    }
}

/// Row 19, the half that a schema can't know: the region has the right types, and is another shard's. (That
/// its types are others is an error of `open`: `tests/files/errors/schema.rs`.)
mod bug_19 {
    use crate::support::*;
    use indelible::power::{Explorer, History, Log, Recorder};
    use indelible::{Error, Link, Persistent, Region, Result};

    #[derive(Persistent)]
    #[repr(C)]
    struct Shard {
        number: u64,
        newest: Link<Entry>,
    }

    #[derive(Persistent)]
    #[repr(C)]
    struct Entry {
        key: u64,
        before: Link<Entry>,
    }

    const SHARDS: u64 = 10;

    type Made = Region<Shard, Recorder>;

    fn put_anywhere(shard: &mut Made, key: u64) -> Result<()> {
        shard.transact(|tx, shard| {
            let mut entry = tx.alloc(Entry { key, before: Link::null() })?;
            tx.attach(&mut entry, |entry| &entry.before, tx.take(&shard.newest));
            // bug 19: of another shard
            tx.publish(&shard.newest, tx.persist(entry)?);
            Ok(())
        })
    }

    fn put(shard: &mut Made, key: u64) -> Result<()> {
        match shard.root().number == key % SHARDS {
            true => put_anywhere(shard, key),
            false => Err(Error::other("not this shard's key")),
        }
    }

    fn explorer(number: u64, put: fn(&mut Made, u64) -> Result<()>) -> Explorer<Shard, u64> {
        let workload = move |shard: &mut Made, log: &Log<u64>| {
            for key in [13, 33] {
                log.begin(key);
                if put(shard, key).is_ok() {
                    log.acknowledge();
                }
            }
            Ok(())
        };
        let root = move || Shard { number, newest: Link::null() };
        Explorer::new(root, workload, |shard, history: &History<u64>| {
            let mut keys = Vec::new();
            let mut at = &shard.newest;
            while let Some(entry) = at.get() {
                assert_eq!(entry.key % SHARDS, shard.number, "an entry of another shard");
                keys.push(entry.key);
                at = &entry.before;
            }
            assert!(history.acknowledged().iter().all(|key| keys.contains(key)), "an entry is missing");
        })
    }

    #[test]
    fn a_program_that_takes_any_shard_for_its_own_is_found() {
        let place = place(source!("restart.rs"), "bug 19: of another shard");
        is_found(explorer(7, put_anywhere), "an entry of another shard", &place);
    }

    #[test]
    fn a_program_that_asks_first_passes() {
        passes(explorer(7, put));
        passes(explorer(3, put));
    }
}

/// Row 25. A lock in persistent memory is held by a thread that is no more. (A `Mutex` there is refused by the
/// compiler.)
mod bug_25 {
    use crate::support::*;
    use indelible::power::{Explorer, History, Log, Recorder};
    use indelible::{Error, Persistent, Region, Result, Word};

    #[derive(Persistent)]
    #[repr(C)]
    struct Counter {
        locked: Word<bool>,
        count: Word<u64>,
    }

    type Made = Region<Counter, Recorder>;

    fn lock(counter: &mut Made, locked: bool) -> Result<()> {
        counter.transact(|tx, counter| {
            if counter.locked.get() == locked {
                return Err(Error::other("the lock is held"));
            }
            // bug 25: held for ever
            tx.store(&counter.locked, locked);
            Ok(())
        })
    }

    fn add(counter: &mut Made) -> Result<()> {
        counter.transact(|tx, counter| {
            tx.store(&counter.count, counter.count.get() + 1);
            Ok(())
        })
    }

    fn add_under_lock(counter: &mut Made) -> Result<()> {
        lock(counter, true)?;
        add(counter)?;
        lock(counter, false)
    }

    fn explorer(add: fn(&mut Made) -> Result<()>) -> Explorer<Counter, u64> {
        let workload = move |counter: &mut Made, log: &Log<u64>| {
            for count in 1..=2 {
                log.begin(count);
                add(counter)?;
                log.acknowledge();
            }
            Ok(())
        };
        let zero = || Counter { locked: Word::new(false), count: Word::new(0) };
        Explorer::new(zero, workload, |counter, history: &History<u64>| {
            assert!(counter.count.get() >= history.acknowledged().len() as u64, "a count was lost");
        })
        .then(move |counter, _| add(counter))
    }

    #[test]
    fn a_lock_that_survives_is_found() {
        let place = place(source!("restart.rs"), "bug 25: held for ever");
        is_found(explorer(add_under_lock), "the lock is held", &place);
    }

    /// `&mut Region` is the lock, and it is in DRAM.
    #[test]
    fn a_lock_that_is_not_persistent_passes() {
        passes(explorer(add));
    }
}
