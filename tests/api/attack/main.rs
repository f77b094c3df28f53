//! Attempts to break the crate from safe code, each with the rule that stops it.
//!
//! None of them contains `unsafe` beyond opening a file. What the compiler rejects is under
//! `ui-tests/cases/bypass`.

mod chaos;
mod closures;
mod leaks;
mod logs;
mod mappings;
mod maps;
mod references;
mod regions;
mod sizes;
mod threads;
mod words;

use indelible::medium::{Emulated, Medium, MemoryFileSystem, PageCache};
use indelible::state::{Dirty, Flushed, Persisted};
use indelible::{Error, Link, Options, Persistent, Pm, Region, Result, Taken, Tx, Word};
use indelible_test_support::{chance::Chance, panics::panics};
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

/// Its first field is a link: the object and the link have one address.
#[derive(Persistent)]
#[repr(C)]
struct Node {
    left: Link<Node>,
    right: Link<Node>,
    key: u64,
    word: Word<u64>,
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    slots: [Link<Node>; 4],
    count: Word<u64>,
}

fn node(key: u64) -> Node {
    Node { left: Link::null(), right: Link::null(), key, word: Word::new(key) }
}

fn root() -> Root {
    Root { slots: [const { Link::null() }; 4], count: Word::new(0) }
}

/// Slot 0 leads to node 1, whose left is node 2 and whose right is node 3.
fn region() -> Region<Root, Emulated> {
    let mut region = Region::new(1 << 20, root()).expect("memory");
    region
        .transact(|tx, root| {
            let (left, right) = tx.flush((tx.alloc(node(2))?, tx.alloc(node(3))?));
            let mut top = tx.alloc(node(1))?;
            tx.attach(&mut top, |top| &top.left, left);
            tx.attach(&mut top, |top| &top.right, right);
            tx.publish(&root.slots[0], tx.persist(top)?);
            Ok(())
        })
        .expect("room");
    region
}

/// Every node that is reached, depth first: its slot's number, its depth, its key and its word.
fn contents(root: &Root) -> Vec<[u64; 4]> {
    let mut found = Vec::new();
    let mut reached = HashSet::new();
    let mut next: Vec<(u64, u64, &Link<Node>)> =
        root.slots.iter().enumerate().map(|(slot, link)| (slot as u64, 0, link)).collect();
    while let Some((slot, depth, link)) = next.pop() {
        let Some(node) = link.get() else { continue };
        assert!(reached.insert(std::ptr::from_ref(node).addr()), "two owners of one object");
        found.push([slot, depth, node.key, node.word.get()]);
        next.push((slot, depth + 1, &node.left));
        next.push((slot, depth + 1, &node.right));
    }
    found
}

fn keys(region: &Region<Root, impl Medium>) -> Vec<u64> {
    let mut keys: Vec<u64> = contents(region.root()).iter().map(|found| found[2]).collect();
    keys.sort_unstable();
    keys
}

/// Nothing was changed by what happened, nothing leaked, and the region goes on.
#[track_caller]
fn untouched(region: &mut Region<Root, Emulated>) {
    assert_eq!(keys(region), [1, 2, 3]);
    assert_eq!(region.usage().expect("valid").unreached_bytes, 0);
    region
        .transact(|tx, root| {
            let mut new = tx.alloc(node(9))?;
            tx.attach(&mut new, |new| &new.left, tx.take(&root.slots[0]));
            tx.publish(&root.slots[3], tx.persist(new)?);
            Ok(())
        })
        .expect("the region goes on");
    assert_eq!(keys(region), [1, 2, 3, 9]);
    assert_eq!(region.usage().expect("valid").unreached_bytes, 0);
}

fn empty(region: &mut Region<Root, Emulated>) {
    let freed = region.transact(|tx, root| {
        tx.free(tx.take(&root.slots[0]));
        Ok(())
    });
    freed.expect("no rule is broken");
}

fn orphans(result: Result<()>) -> usize {
    match result {
        Err(Error::Orphaned { handles, .. }) => handles,
        other => panic!("{other:?}"),
    }
}
