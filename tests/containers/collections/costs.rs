//! What each change costs, in fences and flushed lines.

use indelible::collections::{BTreeMap, HashMap};
use indelible::power::{self, Recorder};
use indelible::{Committed, Persistent, Region};
use indelible_test_support::costs::cost;

#[derive(Persistent)]
#[repr(C)]
struct Root {
    tree: BTreeMap<u64, [u8; 100]>,
    text: BTreeMap<str, [u8]>,
    hash: HashMap<u64, [u8; 100]>,
}

fn region() -> Region<Root, Recorder> {
    let root = Root { tree: BTreeMap::new(), text: BTreeMap::new(), hash: HashMap::with_seed(3) };
    power::region(1 << 24, root).unwrap()
}

#[test]
fn an_insert_into_a_tree_takes_one_fence_mostly_whatever_the_height() {
    for size in [0, 1, 7, 8, 100, 1000, 5000] {
        let mut region = region();
        region.transact(|tx, root| root.tree.rebuild(tx, (0..size).map(|n| (2 * n, [1; 100])))).unwrap();
        let (mut most, mut more) = ((0, 0), 0);
        // Side by side, so that leaves split, and then what is above them.
        for n in 0..80 {
            let key = ((size + 2 * n) % (2 * size + 1)) | 1;
            let costs = cost(&mut region, |tx, root| root.tree.insert(tx, &key, &[2; 100]).map(drop));
            // A leaf and its record. Two halves of one, and what is above them, are more than is worth a hash.
            assert!((1..=3).contains(&costs.0), "{size} entries, insert {n}: {costs:?}");
            more += usize::from(costs.0 > 1);
            most = most.max(costs);
        }
        assert!(more <= 80 / 4, "{size} entries: {more} of 80 inserts took more than a fence");
        let update = cost(&mut region, |tx, root| root.tree.insert(tx, &1, &[3; 100]).map(drop));
        let remove = cost(&mut region, |tx, root| root.tree.remove(tx, &1).map(drop));
        println!("{size:>5}: insert at most {most:?}, replace {update:?}, remove {remove:?}");
        assert_eq!((update.0, remove.0 <= 2), (1, true));
    }
}

#[test]
fn a_leaf_is_flushed_and_one_link() {
    let mut region = region();
    region.transact(|tx, root| root.tree.rebuild(tx, (0..1001).map(|n| (2 * n, [1; 100])))).unwrap();
    // 16 bytes of header, 16 + 8 * (8 + 100) of a node: 14 lines, and the record's.
    let insert = cost(&mut region, |tx, root| root.tree.insert(tx, &503, &[2; 100]).map(drop));
    assert_eq!(insert, (1, 15));
    let replace = cost(&mut region, |tx, root| root.tree.insert(tx, &503, &[3; 100]).map(drop));
    assert_eq!(replace, (1, 15));
    let nothing = cost(&mut region, |tx, root| root.tree.remove(tx, &505).map(drop));
    assert_eq!(nothing, (0, 0));
    assert_eq!(
        cost(&mut region, |tx, root| {
            root.tree.clear(tx);
            Ok(())
        }),
        (1, 2) // the record, and the link that the one before has changed
    );
}

#[test]
fn a_leaf_that_has_become_small_is_not_merged_with_one_that_is_nearly_full() {
    let mut region = region();
    // Two leaves of seven.
    region.transact(|tx, root| root.tree.rebuild(tx, (0..14).map(|n| (n, [1; 100])))).unwrap();
    for key in 0..5 {
        let remove = cost(&mut region, |tx, root| root.tree.remove(tx, &key).map(drop));
        assert!(matches!(remove, (1, 15 | 16)), "{remove:?}");
    }
    for key in 5..14 {
        let replace = cost(&mut region, |tx, root| root.tree.insert(tx, &key, &[2; 100]).map(drop));
        // And the other leaf's link, where the record before has changed that.
        assert!(matches!(replace, (1, 15 | 16)), "of key {key}: {replace:?}");
    }
}

#[test]
fn a_value_behind_a_link_is_replaced_without_its_leaf() {
    let mut region = region();
    let keys: Vec<String> = (0..500).map(|n| format!("{n:05}")).collect();
    region
        .transact(|tx, root| root.text.rebuild(tx, keys.iter().map(|key| (&**key, vec![1_u8; 32]))))
        .unwrap();
    let replace = cost(&mut region, |tx, root| root.text.insert(tx, "00123", &[2; 40]).map(drop));
    assert_eq!(replace, (1, 2), "the value's line, the record's");
    let insert = cost(&mut region, |tx, root| root.text.insert(tx, "001235", &[2; 40]).map(drop));
    assert_eq!(insert.0, 1);
}

#[test]
fn many_changes_in_one_transaction_share_the_fences() {
    let mut region = region();
    region.transact(|tx, root| root.tree.rebuild(tx, (0..1000).map(|n| (2 * n, [1; 100])))).unwrap();
    let costs = cost(&mut region, |tx, root| {
        for n in 0..100 {
            root.tree.insert(tx, &(n * 20 + 1), &[2; 100])?;
            root.hash.insert(tx, &n, &[2; 100])?;
        }
        root.tree.remove(tx, &0).map(drop)
    });
    // The words in blocks of this transaction take a fence of their own.
    assert!(costs.0 <= 3, "{costs:?}");
    let build = cost(&mut region, |tx, root| root.tree.rebuild(tx, (0..1000).map(|n| (n, [1; 100]))));
    assert_eq!(build.0, 2, "one publication for any number");
}

#[test]
fn an_insert_into_a_hash_map_takes_one_fence_mostly_also_when_it_grows() {
    let mut region = region();
    let (mut least, mut most, mut more) = (usize::MAX, 0, 0);
    for n in 0..2000_u64 {
        let costs = cost(&mut region, |tx, root| root.hash.insert(tx, &n, &[2; 100]).map(drop));
        assert!((1..=3).contains(&costs.0), "insert {n}: {costs:?}");
        more += usize::from(costs.0 > 1);
        (least, most) = (least.min(costs.1), most.max(costs.1));
    }
    println!("lines per insert: {least} to {most}; {more} took more than a fence");
    assert!(more <= 2000 / 4);
    assert_eq!(region.root().hash.len(&Committed), 2000);
    let replace = cost(&mut region, |tx, root| root.hash.insert(tx, &5, &[3; 100]).map(drop));
    let remove = cost(&mut region, |tx, root| root.hash.remove(tx, &5).map(drop));
    assert_eq!((replace.0, remove.0), (1, 1));
    assert_eq!(
        cost(&mut region, |tx, root| {
            root.hash.clear(tx);
            Ok(())
        })
        .0,
        1
    );
}
