//! A binary search tree: one link changes for an insert, at most five words for a removal, whatever the tree's
//! size; and a crash test.
//!
//! ```text
//! cargo run --example tree
//! cargo test --example tree
//! ```

// ANCHOR: types
use indelible::medium::Medium;
use indelible::{Committed, Link, Persistent, Read, Region, Result, Tx, Word};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    value: Word<i64>,
    left: Link<Node>,
    right: Link<Node>,
}

#[derive(Persistent)]
#[repr(C)]
struct Tree {
    top: Link<Node>,
}
// ANCHOR_END: types

// ANCHOR: seek
/// The slot where the node with this key is, or would be.
fn seek<'a>(read: &impl Read<'a>, mut slot: &'a Link<Node>, key: u64) -> &'a Link<Node> {
    while let Some(node) = read.get(slot).filter(|node| node.key != key) {
        slot = if key < node.key { &node.left } else { &node.right };
    }
    slot
}
// ANCHOR_END: seek

// ANCHOR: insert
fn insert<'t, M: Medium>(tx: &Tx<'t, M>, top: &'t Link<Node>, key: u64, value: i64) -> Result<()> {
    let slot = seek(tx, top, key);
    match tx.get(slot) {
        Some(node) => tx.store(&node.value, value), // in place: a value is a word
        None => {
            let node = Node { key, value: Word::new(value), left: Link::null(), right: Link::null() };
            tx.publish(slot, tx.persist(tx.alloc(node)?)?); // one link, and not the path to it
        }
    }
    Ok(())
}
// ANCHOR_END: insert

// ANCHOR: remove
/// The slot of the node with the smallest key below `slot`, which is not empty.
fn smallest<'a>(read: &impl Read<'a>, mut slot: &'a Link<Node>) -> &'a Link<Node> {
    while let Some(node) = read.get(slot).filter(|node| read.get(&node.left).is_some()) {
        slot = &node.left;
    }
    slot
}

fn remove<'t, M: Medium>(tx: &Tx<'t, M>, top: &'t Link<Node>, key: u64) -> bool {
    let slot = seek(tx, top, key);
    let Some(gone) = tx.take(slot) else { return false };
    let Node { left, right, .. } = gone.get();
    let heir = if tx.get(left).is_none() {
        tx.take(right)
    } else if tx.get(right).is_none() {
        tx.take(left)
    } else {
        // The next larger key takes its place, and leaves its own to what is right of it.
        let next = smallest(tx, right);
        let heir = tx.take(next);
        if let Some(heir) = &heir {
            let heir = heir.get();
            tx.publish(next, tx.take(&heir.right));
            tx.publish(&heir.left, tx.take(left));
            tx.publish(&heir.right, tx.take(right));
        }
        heir
    };
    tx.publish(slot, heir);
    tx.free(gone);
    true
}
// ANCHOR_END: remove

// ANCHOR: walk
/// Calls `each` with every key and value, in the order of the keys.
fn walk<'a>(read: &impl Read<'a>, top: &'a Link<Node>, each: &mut impl FnMut(u64, i64)) {
    // Not by recursion: nothing bounds the depth of this tree.
    let mut path = Vec::new();
    let mut slot = top;
    loop {
        while let Some(node) = read.get(slot) {
            path.push(node);
            slot = &node.left;
        }
        let Some(node) = path.pop() else { return };
        each(node.key, read.load(&node.value));
        slot = &node.right;
    }
}
// ANCHOR_END: walk

fn pairs<'a>(read: &impl Read<'a>, top: &'a Link<Node>) -> Vec<(u64, i64)> {
    let mut pairs = Vec::new();
    walk(read, top, &mut |key, value| pairs.push((key, value)));
    pairs
}

fn main() -> Result<()> {
    let mut tree = Region::new(1 << 20, Tree { top: Link::null() })?;
    for (key, value) in [(50, 1), (20, 2), (70, 3), (60, 4), (80, 5), (65, 6), (20, -2)] {
        tree.transact(|tx, tree| insert(tx, &tree.top, key, value))?;
    }
    println!("{:?}", pairs(&Committed, &tree.root().top));
    let removed = tree.transact(|tx, tree| Ok((remove(tx, &tree.top, 50), remove(tx, &tree.top, 55))))?;
    assert_eq!(removed, (true, false));
    println!("{:?} without 50", pairs(&Committed, &tree.root().top));
    assert_eq!(pairs(&Committed, &tree.root().top), [(20, -2), (60, 4), (65, 6), (70, 3), (80, 5)]);
    assert_eq!(tree.usage()?.objects, 6, "the root and five nodes");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use indelible::power::{Explorer, History, Log, Recorder};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_is_an_ordered_map(steps in prop::collection::vec((0..40_u64, any::<Option<i64>>()), 1..200)) {
            let mut tree = Region::new(1 << 20, Tree { top: Link::null() }).unwrap();
            let mut model = BTreeMap::new();
            for (key, value) in steps {
                match value {
                    Some(value) => {
                        model.insert(key, value);
                        tree.transact(|tx, tree| insert(tx, &tree.top, key, value)).unwrap();
                    }
                    None => {
                        let removed = tree.transact(|tx, tree| Ok(remove(tx, &tree.top, key))).unwrap();
                        prop_assert_eq!(removed, model.remove(&key).is_some());
                    }
                }
                prop_assert_eq!(pairs(&Committed, &tree.root().top), Vec::from_iter(model.clone()));
            }
            prop_assert_eq!(tree.usage().unwrap().objects, 1 + model.len() as u64);
        }
    }

    #[test]
    fn no_crash_shows_half_a_removal() {
        let workload = |tree: &mut Region<Tree, Recorder>, log: &Log<&str>| {
            log.begin("five keys");
            tree.transact(|tx, tree| {
                [50, 20, 70, 60, 80].into_iter().try_for_each(|key| insert(tx, &tree.top, key, 0))
            })?;
            log.acknowledge();
            log.begin("50 is removed");
            assert!(tree.transact(|tx, tree| Ok(remove(tx, &tree.top, 50)))?);
            log.acknowledge();
            Ok(())
        };
        let stages: [&[u64]; 3] = [&[], &[20, 50, 60, 70, 80], &[20, 60, 70, 80]];
        let check = move |tree: &Tree, history: &History<&str>| {
            let found: Vec<u64> = pairs(&Committed, &tree.top).into_iter().map(|(key, _)| key).collect();
            let possible = history.acknowledged().len()..=history.begun().len();
            assert!(stages[possible].contains(&&found[..]), "{found:?}");
        };
        let report = Explorer::new(|| Tree { top: Link::null() }, workload, check).run();
        assert!(report.assert().is_exhaustive());
    }

    #[test]
    fn the_example_runs() {
        main().unwrap();
    }
}
