//! Millions of operations against std's maps, the same ones each time.

use crate::support::{End, open, transact};
use indelible::collections::{BTreeMap, HashMap};
use indelible::{Committed, Persistent};
use indelible_test_support::{chance::Chance, long::short_or};
use std::collections::BTreeMap as Model;

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    tree: BTreeMap<u32, u64>,
    hash: HashMap<u32, u64>,
}

#[test]
fn millions_of_operations() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("maps");
    let mut region = open::<Root>(&path);
    let mut random = Chance::new(1);
    let mut model = Model::<u32, u64>::new();
    let (mut operations, mut aborts) = (0_u64, 0);
    for round in 0..short_or(1_100, 2_800_u64) {
        // It grows and shrinks: most inserts at first, most removals later.
        let inserts = if round / 500 % 2 == 0 { 70 } else { 25 };
        let end = match random.below_u64(12) {
            0 => End::Abort,
            1 => End::Panic,
            _ => End::Commit,
        };
        let mut undo = Vec::new();
        let committed = transact(&mut region, end, |tx, root| {
            for _ in 0..150 {
                let key = random.below_u64(30_000) as u32;
                let value = random.next();
                let before = match random.below_u64(100) < inserts {
                    true => {
                        let old = model.insert(key, value);
                        assert_eq!(root.tree.insert(tx, &key, &value)?.copied(), old);
                        assert_eq!(root.hash.insert(tx, &key, &value)?.copied(), old);
                        old
                    }
                    false => {
                        let old = model.remove(&key);
                        assert_eq!(root.tree.remove(tx, &key)?.copied(), old);
                        assert_eq!(root.hash.remove(tx, &key)?.copied(), old);
                        old
                    }
                };
                undo.push((key, before));
                let other = random.below_u64(30_000) as u32;
                assert_eq!(root.tree.get(tx, &other).copied(), model.get(&other).copied());
                assert_eq!(root.hash.get(tx, &other).copied(), model.get(&other).copied());
                let ours = root.tree.range(tx, other..).take(3).map(|(key, value)| (*key, *value));
                assert!(ours.eq(model.range(other..).take(3).map(|(key, value)| (*key, *value))));
                operations += 5;
            }
            Ok(())
        });
        if !committed {
            aborts += 1;
            for (key, before) in undo.into_iter().rev() {
                match before {
                    Some(value) => model.insert(key, value),
                    None => model.remove(&key),
                };
            }
        }
        if round % 250 == 0 {
            region.close().unwrap();
            region = open(&path);
            let root = region.root();
            assert!(root.tree.iter(&Committed).eq(&model));
            assert!(root.tree.iter(&Committed).rev().eq(model.iter().rev()));
            assert_eq!(root.hash.iter(&Committed).collect::<Model<_, _>>(), model.iter().collect());
            assert_eq!(region.usage().unwrap().unreached_bytes, 0);
        }
    }
    println!("{operations} operations, {aborts} transactions aborted");
    assert!(operations > short_or(800_000, 2_000_000) && aborts > short_or(100, 300));
}

/// `src/collections` has no `unsafe`, and nothing in it may allow any.
#[test]
fn nothing_in_collections_is_unsafe() {
    fn check(folder: &std::path::Path, files: &mut usize) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => check(&entry.path(), files),
                false => {
                    let source = std::fs::read_to_string(entry.path()).unwrap();
                    for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
                        let code = line.replace("#![forbid(unsafe_code)]", "");
                        assert!(!code.contains("unsafe"), "{}: {line}", entry.path().display());
                    }
                    *files += 1;
                }
            }
        }
    }
    let mut files = 0;
    check(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/collections"), &mut files);
    assert!(files > 5);
}
