//! One change in several transactions: each is whole, and the power can fail between two of them.

/// Row 2. A record moves to another slot: it is written there, and then the old slot's token is cleared.
mod bug_02 {
    use crate::support::*;
    use indelible::power::{Explorer, History, Recorder};
    use indelible::{Persistent, Region, Result, Word};

    #[derive(Persistent)]
    #[repr(C)]
    struct Slot {
        token: Word<bool>,
        key: Word<u64>,
        value: Word<u64>,
    }

    #[derive(Persistent)]
    #[repr(C)]
    struct Table {
        bottom: Slot,
        top: Slot,
    }

    type Made = Region<Table, Recorder>;

    fn table() -> Table {
        let slot = || Slot { token: Word::new(false), key: Word::new(0), value: Word::new(0) };
        Table { bottom: slot(), top: slot() }
    }

    fn insert(table: &mut Made, key: u64, value: u64) -> Result<()> {
        table.transact(|tx, table| {
            tx.store(&table.bottom.key, key);
            tx.store(&table.bottom.value, value);
            tx.store(&table.bottom.token, true);
            Ok(())
        })
    }

    fn move_up_in_two_steps(table: &mut Made) -> Result<()> {
        // bug 2: the record is in both slots
        table.transact(|tx, table| {
            tx.store(&table.top.key, table.bottom.key.get());
            tx.store(&table.top.value, table.bottom.value.get());
            tx.store(&table.top.token, true);
            Ok(())
        })?;
        table.transact(|tx, table| {
            tx.store(&table.bottom.token, false);
            Ok(())
        })
    }

    fn move_up(table: &mut Made) -> Result<()> {
        table.transact(|tx, table| {
            tx.store(&table.top.key, table.bottom.key.get());
            tx.store(&table.top.value, table.bottom.value.get());
            tx.store(&table.top.token, true);
            tx.store(&table.bottom.token, false);
            Ok(())
        })
    }

    fn explorer(move_up: fn(&mut Made) -> Result<()>) -> Explorer<Table, (u64, u64)> {
        let workload = move |table: &mut Made, log: &indelible::power::Log<_>| {
            log.begin((7, 70));
            insert(table, 7, 70)?;
            log.acknowledge();
            move_up(table)
        };
        Explorer::new(table, workload, |table, history: &History<(u64, u64)>| {
            let used = [&table.bottom, &table.top].into_iter().filter(|slot| slot.token.get());
            let found: Vec<_> = used.map(|slot| (slot.key.get(), slot.value.get())).collect();
            assert!(found.len() <= 1, "a key is there twice");
            assert!(history.acknowledged().iter().all(|record| found.contains(record)), "a key is missing");
        })
    }

    #[test]
    fn a_move_in_two_transactions_is_found() {
        let place = place(source!("steps.rs"), "bug 2: the record is in both slots");
        is_found(explorer(move_up_in_two_steps), "a key is there twice", &place);
    }

    #[test]
    fn a_move_in_one_transaction_passes() {
        passes(explorer(move_up));
    }
}

/// Row 3. A hash table gets a larger array, the keys follow one by one, and lookups know the new one only.
mod bug_03 {
    use crate::support::*;
    use indelible::power::{Explorer, History, Log, Recorder};
    use indelible::{Link, Persistent, Region, Result, Word};

    #[derive(Persistent)]
    #[repr(C)]
    struct Table {
        /// A key is in the slot of its remainder, and 0 is no key.
        slots: Link<[Word<u64>]>,
        old: Link<[Word<u64>]>,
    }

    type Made = Region<Table, Recorder>;

    fn slot(slots: &[Word<u64>], key: u64) -> &Word<u64> {
        &slots[key as usize % slots.len()]
    }

    fn insert(table: &mut Made, key: u64) -> Result<()> {
        table.transact(|tx, table| {
            let slots = tx.get(&table.slots).expect("the table has slots");
            tx.store(slot(slots, key), key);
            Ok(())
        })
    }

    fn resize_in_many_steps(table: &mut Made, len: usize) -> Result<()> {
        table.transact(|tx, table| {
            let larger = tx.persist(tx.alloc_slice_with(len, |_| Word::new(0))?)?;
            // bug 3: the new slots are empty
            let old = tx.replace(&table.slots, larger);
            tx.publish(&table.old, old);
            Ok(())
        })?;
        let keys: Vec<u64> =
            table.root().old.get().iter().flat_map(|old| old.iter()).map(Word::get).collect();
        for key in keys.into_iter().filter(|&key| key != 0) {
            insert(table, key)?;
        }
        table.transact(|tx, table| {
            tx.free(tx.take(&table.old));
            Ok(())
        })
    }

    fn resize(table: &mut Made, len: usize) -> Result<()> {
        table.transact(|tx, table| {
            let mut larger = tx.alloc_slice_with(len, |_| Word::new(0))?;
            for key in table.slots.get().iter().flat_map(|old| old.iter()).map(Word::get) {
                if key != 0 {
                    larger[key as usize % len].set(key);
                }
            }
            let old = tx.replace(&table.slots, tx.persist(larger)?);
            tx.free(old);
            Ok(())
        })
    }

    fn explorer(resize: fn(&mut Made, usize) -> Result<()>) -> Explorer<Table, u64> {
        let workload = move |table: &mut Made, log: &Log<u64>| {
            resize(table, 2)?;
            for key in [4, 7] {
                log.begin(key);
                insert(table, key)?;
                log.acknowledge();
            }
            resize(table, 4)
        };
        let empty = || Table { slots: Link::null(), old: Link::null() };
        Explorer::new(empty, workload, |table, history: &History<u64>| {
            for &key in history.acknowledged() {
                let slots = table.slots.get().expect("the table has slots");
                assert_eq!(slot(slots, key).get(), key, "a key is not found");
            }
        })
    }

    #[test]
    fn a_resize_in_many_transactions_is_found() {
        let place = place(source!("steps.rs"), "bug 3: the new slots are empty");
        is_found(explorer(resize_in_many_steps), "a key is not found", &place);
    }

    #[test]
    fn a_resize_in_one_transaction_passes() {
        passes(explorer(resize));
    }
}

/// Row 5. The root of a B-tree is split: the upper half moves to a sibling, and then a new root gets both.
/// Nothing knows of the state between.
mod bug_05 {
    use crate::support::*;
    use indelible::medium::Writable;
    use indelible::power::{Explorer, History, Log, Recorder};
    use indelible::{Link, Persistent, Region, Result, Tx, Word};

    #[derive(Persistent)]
    #[repr(C)]
    struct Node {
        keys: [Word<u64>; 4],
        count: Word<u64>,
        /// Keys smaller than the first are there, and the others in `right`. A leaf has neither.
        left: Link<Node>,
        right: Link<Node>,
        /// The upper half, while the node is being split.
        sibling: Link<Node>,
    }

    #[derive(Persistent)]
    #[repr(C)]
    struct Tree {
        root: Link<Node>,
    }

    type Made = Region<Tree, Recorder>;

    fn node(keys: &[u64]) -> Node {
        let key = |index| Word::new(keys.get(index).copied().unwrap_or(0));
        Node {
            keys: std::array::from_fn(key),
            count: Word::new(keys.len() as u64),
            left: Link::null(),
            right: Link::null(),
            sibling: Link::null(),
        }
    }

    fn keys(node: &Node) -> impl Iterator<Item = u64> {
        node.keys[..node.count.get() as usize].iter().map(Word::get)
    }

    fn contains(tree: &Tree, key: u64) -> bool {
        let mut at = tree.root.get();
        while let Some(node) = at.filter(|node| node.left.get().is_some()) {
            at = if key < node.keys[0].get() { node.left.get() } else { node.right.get() };
        }
        at.is_some_and(|leaf| keys(leaf).any(|found| found == key))
    }

    fn make_root(tree: &mut Made, keys: &[u64]) -> Result<()> {
        tree.transact(|tx, tree| {
            tx.publish(&tree.root, tx.persist(tx.alloc(node(keys))?)?);
            Ok(())
        })
    }

    /// The root's upper half, as a leaf of its own.
    fn split_off<'t, M: Writable>(tx: &Tx<'t, M>, leaf: &'t Node) -> Result<()> {
        let upper: Vec<u64> = keys(leaf).skip(2).collect();
        tx.publish(&leaf.sibling, tx.persist(tx.alloc(node(&upper))?)?);
        tx.store(&leaf.count, 2);
        Ok(())
    }

    /// A new root over the old one and its sibling.
    fn grow<'t, M: Writable>(tx: &Tx<'t, M>, tree: &'t Tree) -> Result<()> {
        let left = tx.take(&tree.root).expect("there is a root");
        let right = tx.take(&left.get().sibling).expect("it was split");
        let first = right.get().keys[0].get();
        let mut root = tx.alloc(node(&[first]))?;
        tx.attach(&mut root, |root| &root.left, left);
        tx.attach(&mut root, |root| &root.right, right);
        tx.publish(&tree.root, tx.persist(root)?);
        Ok(())
    }

    fn split_in_two_steps(tree: &mut Made) -> Result<()> {
        // bug 5: no lookup goes to the sibling
        tree.transact(|tx, tree| split_off(tx, tree.root.get().expect("there is a root")))?;
        tree.transact(grow)
    }

    fn split(tree: &mut Made) -> Result<()> {
        tree.transact(|tx, tree| {
            let left = tx.take(&tree.root).expect("there is a root");
            let upper: Vec<u64> = keys(left.get()).skip(2).collect();
            let right = tx.flush(tx.alloc(node(&upper))?);
            tx.store(&left.get().count, 2);
            let mut root = tx.alloc(node(&upper[..1]))?;
            tx.attach(&mut root, |root| &root.left, left);
            tx.attach(&mut root, |root| &root.right, right);
            tx.publish(&tree.root, tx.persist(root)?);
            Ok(())
        })
    }

    fn explorer(split: fn(&mut Made) -> Result<()>) -> Explorer<Tree, [u64; 4]> {
        let workload = move |tree: &mut Made, log: &Log<[u64; 4]>| {
            log.begin([10, 20, 30, 40]);
            make_root(tree, &[10, 20, 30, 40])?;
            log.acknowledge();
            split(tree)
        };
        Explorer::new(
            || Tree { root: Link::null() },
            workload,
            |tree, history: &History<[u64; 4]>| {
                for &key in history.acknowledged().iter().flatten() {
                    assert!(contains(tree, key), "key {key} is not found");
                }
            },
        )
    }

    #[test]
    fn a_root_split_in_two_transactions_is_found() {
        let place = place(source!("steps.rs"), "bug 5: no lookup goes to the sibling");
        is_found(explorer(split_in_two_steps), "key 30 is not found", &place);
    }

    #[test]
    fn a_root_split_in_one_transaction_passes() {
        passes(explorer(split));
    }
}

/// Row 8. A node counts its entries, and an entry is a key and a value: the count is crash-visible first.
mod bug_08 {
    use crate::support::*;
    use indelible::power::{Explorer, History, Log, Recorder};
    use indelible::{Persistent, Region, Result, Word};

    #[derive(Persistent)]
    #[repr(C)]
    struct Node4 {
        keys: [Word<u8>; 4],
        values: [Word<u64>; 4],
        count: Word<u64>,
    }

    type Made = Region<Node4, Recorder>;

    fn insert_in_two_steps(node: &mut Made, key: u8, value: u64) -> Result<()> {
        let index = node.root().count.get();
        node.transact(|tx, node| {
            tx.store(&node.keys[index as usize], key);
            // bug 8: counted without a value
            tx.store(&node.count, index + 1);
            Ok(())
        })?;
        node.transact(|tx, node| {
            tx.store(&node.values[index as usize], value);
            Ok(())
        })
    }

    fn insert(node: &mut Made, key: u8, value: u64) -> Result<()> {
        node.transact(|tx, node| {
            let index = node.count.get();
            tx.store(&node.keys[index as usize], key);
            tx.store(&node.values[index as usize], value);
            tx.store(&node.count, index + 1);
            Ok(())
        })
    }

    fn explorer(insert: fn(&mut Made, u8, u64) -> Result<()>) -> Explorer<Node4, (u8, u64)> {
        let workload = move |node: &mut Made, log: &Log<(u8, u64)>| {
            for (key, value) in [(b'a', 1), (b'b', 2)] {
                log.begin((key, value));
                insert(node, key, value)?;
                log.acknowledge();
            }
            Ok(())
        };
        let empty =
            || Node4 { keys: std::array::from_fn(|_| Word::new(0)), values: zeros(), count: Word::new(0) };
        Explorer::new(empty, workload, |node, history: &History<(u8, u64)>| {
            let count = node.count.get() as usize;
            let found: Vec<(u8, u64)> =
                (0..count).map(|index| (node.keys[index].get(), node.values[index].get())).collect();
            assert!(history.begun().starts_with(&found), "an entry is there in part: {found:?}");
            assert!(found.starts_with(history.acknowledged()), "an entry is missing: {found:?}");
        })
    }

    #[test]
    fn two_fields_in_two_transactions_are_found() {
        let place = place(source!("steps.rs"), "bug 8: counted without a value");
        is_found(explorer(insert_in_two_steps), "an entry is there in part", &place);
    }

    #[test]
    fn two_fields_in_one_transaction_pass() {
        passes(explorer(insert));
    }
}
