//! What costs time and loses nothing: `mutants()` leaves out each flush and each fence in turn, and names those
//! that nobody misses.

use crate::support::*;
use indelible::power::{Explorer, Mutants};
use indelible::{Persistent, Region, Result};

/// What the program could leave out, as the lines of its verbs.
fn redundant(mutants: &Mutants) -> Vec<(String, String)> {
    println!("{mutants}\n");
    let kind = |what: &str| if what.contains("the fence") { "fence" } else { "flush" };
    mutants.redundant().map(|mutant| (kind(mutant.what()).to_string(), mutant.site().to_string())).collect()
}

/// Row 28. A fence for each object of a tree, where one will do for all.
mod bug_28 {
    use super::*;
    use indelible::Link;
    use indelible::power::{History, Log, Recorder};

    #[derive(Persistent)]
    #[repr(C)]
    struct Leaf {
        bytes: [u64; 20],
    }

    #[derive(Persistent, Default)]
    #[repr(C)]
    struct Inner {
        leaves: [Link<Leaf>; 3],
    }

    #[derive(Persistent)]
    #[repr(C)]
    struct Tree {
        top: Link<Inner>,
    }

    type Made = Region<Tree, Recorder>;

    fn leaf(n: u64) -> Leaf {
        Leaf { bytes: [n + 1; 20] }
    }

    fn build_with_four_fences(tree: &mut Made) -> Result<()> {
        tree.transact(|tx, tree| {
            let mut top = tx.alloc(Inner::default())?;
            for n in 0..3 {
                // bug 28: one fence for each leaf
                let leaf = tx.persist(tx.alloc(leaf(n))?)?;
                tx.attach(&mut top, |top| &top.leaves[n as usize], leaf);
            }
            tx.publish(&tree.top, tx.persist(top)?);
            Ok(())
        })
    }

    fn build(tree: &mut Made) -> Result<()> {
        tree.transact(|tx, tree| {
            let mut top = tx.alloc(Inner::default())?;
            for n in 0..3 {
                let leaf = tx.flush(tx.alloc(leaf(n))?);
                tx.attach(&mut top, |top| &top.leaves[n as usize], leaf);
            }
            tx.publish(&tree.top, tx.persist(top)?);
            Ok(())
        })
    }

    fn explorer(build: fn(&mut Made) -> Result<()>) -> Explorer<Tree, ()> {
        let workload = move |tree: &mut Made, log: &Log<()>| {
            log.begin(());
            build(tree)?;
            log.acknowledge();
            Ok(())
        };
        Explorer::new(
            || Tree { top: Link::null() },
            workload,
            |tree, history: &History<()>| {
                let leaves = tree.top.get().map(|top| top.leaves.each_ref().map(|leaf| leaf.get().is_some()));
                match leaves {
                    Some(leaves) => assert_eq!(leaves, [true; 3], "a leaf is missing"),
                    None => assert!(history.acknowledged().is_empty(), "the tree is missing"),
                }
            },
        )
    }

    #[test]
    fn a_fence_for_each_object_is_reported() {
        let place = place(source!("redundant.rs"), "bug 28: one fence for each leaf");
        let redundant = redundant(&explorer(build_with_four_fences).mutants());
        assert_eq!(redundant, vec![("fence".to_string(), place); 3]);
    }

    #[test]
    fn one_fence_for_all_is_missed() {
        assert_eq!(redundant(&explorer(build).mutants()), []);
        passes(explorer(build));
    }
}

/// Row 29. An object is flushed, changed, and flushed again: only the last flush counts.
mod bug_29 {
    use super::*;
    use indelible::power::{History, Log, Recorder};
    use indelible::{Link, Word};

    #[derive(Persistent)]
    #[repr(C)]
    struct Item {
        key: u64,
        stamp: Word<u64>,
        before: Link<Item>,
    }

    #[derive(Persistent)]
    #[repr(C)]
    struct Items {
        newest: Link<Item>,
        stamp: Word<u64>,
    }

    type Made = Region<Items, Recorder>;

    fn item(key: u64, stamp: u64) -> Item {
        Item { key, stamp: Word::new(stamp), before: Link::null() }
    }

    fn put_and_stamp(items: &mut Made, key: u64) -> Result<()> {
        items.transact(|tx, items| {
            let stamp = items.stamp.get() + 1;
            tx.store(&items.stamp, stamp);
            let mut item = tx.alloc(item(key, 0))?;
            tx.attach(&mut item, |item| &item.before, tx.take(&items.newest));
            // bug 29: the commit flushes the line again
            tx.publish(&items.newest, tx.persist(item)?);
            tx.store(&tx.get(&items.newest).expect("published").stamp, stamp);
            Ok(())
        })
    }

    fn put_stamped(items: &mut Made, key: u64) -> Result<()> {
        items.transact(|tx, items| {
            let stamp = items.stamp.get() + 1;
            tx.store(&items.stamp, stamp);
            let mut item = tx.alloc(item(key, stamp))?;
            tx.attach(&mut item, |item| &item.before, tx.take(&items.newest));
            tx.publish(&items.newest, tx.persist(item)?);
            Ok(())
        })
    }

    fn explorer(put: fn(&mut Made, u64) -> Result<()>) -> Explorer<Items, u64> {
        let workload = move |items: &mut Made, log: &Log<u64>| {
            for key in [5, 6] {
                log.begin(key);
                put(items, key)?;
                log.acknowledge();
            }
            Ok(())
        };
        let none = || Items { newest: Link::null(), stamp: Word::new(0) };
        Explorer::new(none, workload, |items, history: &History<u64>| {
            let newest = items.newest.get().map_or(0, |item| item.stamp.get());
            assert_eq!(newest, items.stamp.get(), "the newest item has the newest stamp");
            assert!(newest >= history.acknowledged().len() as u64, "an item is missing");
        })
    }

    #[test]
    fn a_flush_that_is_made_again_is_reported() {
        let place = place(source!("redundant.rs"), "bug 29: the commit flushes the line again");
        let redundant = redundant(&explorer(put_and_stamp).mutants());
        let both = [("flush".to_string(), place.clone()), ("fence".to_string(), place)];
        assert_eq!(redundant, [both.clone(), both].concat(), "for each of two items");
    }

    #[test]
    fn a_flush_after_the_last_change_is_missed() {
        assert_eq!(redundant(&explorer(put_stamped).mutants()), []);
        passes(explorer(put_stamped));
    }
}
