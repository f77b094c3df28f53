//! A singly linked list: push, pop, insert in order, reverse, iterate; and a crash test of each.
//!
//! ```text
//! cargo run --example list
//! cargo test --example list
//! ```

// ANCHOR: types
use indelible::medium::Medium;
use indelible::{Committed, Link, Persistent, Read, Region, Result, Taken, Tx};

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    next: Link<Node>,
}

#[derive(Persistent)]
#[repr(C)]
struct List {
    first: Link<Node>,
}
// ANCHOR_END: types

// ANCHOR: push
fn push<'t, M: Medium>(tx: &Tx<'t, M>, slot: &'t Link<Node>, key: u64) -> Result<()> {
    let mut node = tx.alloc(Node { key, next: Link::null() })?;
    tx.attach(&mut node, |node| &node.next, tx.take(slot));
    tx.publish(slot, tx.persist(node)?);
    Ok(())
}
// ANCHOR_END: push

// ANCHOR: pop
fn pop<'t, M: Medium>(tx: &Tx<'t, M>, slot: &'t Link<Node>) -> Option<u64> {
    let node = tx.take(slot)?;
    tx.publish(slot, tx.take(&node.get().next));
    let key = node.get().key;
    tx.free(node);
    Some(key)
}
// ANCHOR_END: pop

// ANCHOR: insert
/// The slot before which the keys are smaller: of an existing node, or the null at the end.
fn seek<'t, M: Medium>(tx: &Tx<'t, M>, mut slot: &'t Link<Node>, key: u64) -> &'t Link<Node> {
    while let Some(node) = tx.get(slot).filter(|node| node.key < key) {
        slot = &node.next;
    }
    slot
}

/// Keeps a sorted list sorted. One link changes, wherever in the list it is.
fn insert<'t, M: Medium>(tx: &Tx<'t, M>, first: &'t Link<Node>, key: u64) -> Result<()> {
    push(tx, seek(tx, first, key), key)
}
// ANCHOR_END: insert

// ANCHOR: reverse
/// Turns the list round in place. Each link that changes is a word in the journal.
fn reverse<'t, M: Medium>(tx: &Tx<'t, M>, first: &'t Link<Node>) {
    let mut done: Option<Taken<'t, Node>> = None;
    let mut rest = tx.take(first);
    while let Some(node) = rest {
        rest = tx.take(&node.get().next);
        tx.publish(&node.get().next, done);
        done = Some(node);
    }
    tx.publish(first, done);
}
// ANCHOR_END: reverse

// ANCHOR: keys
/// Works inside a transaction, with its changes, and outside of one.
fn keys<'a>(read: &impl Read<'a>, mut slot: &'a Link<Node>) -> Vec<u64> {
    let mut keys = Vec::new();
    while let Some(node) = read.get(slot) {
        keys.push(node.key);
        slot = &node.next;
    }
    keys
}
// ANCHOR_END: keys

fn main() -> Result<()> {
    let mut list = Region::new(1 << 20, List { first: Link::null() })?;
    list.transact(|tx, list| {
        for key in [30, 10, 20] {
            insert(tx, &list.first, key)?;
        }
        assert_eq!(keys(tx, &list.first), [10, 20, 30], "the transaction sees its own changes");
        assert_eq!(keys(&Committed, &list.first), [], "nobody else does yet");
        Ok(())
    })?;
    println!("sorted:   {:?}", keys(&Committed, &list.root().first));

    list.transact(|tx, list| {
        reverse(tx, &list.first);
        Ok(())
    })?;
    println!("reversed: {:?}", keys(&Committed, &list.root().first));
    assert_eq!(keys(&Committed, &list.root().first), [30, 20, 10]);

    let popped = list.transact(|tx, list| Ok(pop(tx, &list.first)))?;
    println!("popped:   {popped:?}, left: {:?}", keys(&Committed, &list.root().first));
    assert_eq!(popped, Some(30));
    assert_eq!(list.usage()?.objects, 3, "the root and two nodes");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use indelible::power::{Explorer, History, Log, Recorder};

    // ANCHOR: stages
    /// What the list holds after each of the transactions.
    const STAGES: [&[u64]; 5] = [&[], &[20], &[10, 20], &[20, 10], &[10]];

    #[test]
    fn no_crash_shows_a_list_that_no_transaction_made() {
        let workload = |list: &mut Region<List, Recorder>, log: &Log<usize>| {
            for stage in 1..STAGES.len() {
                log.begin(stage);
                list.transact(|tx, list| match stage {
                    1 => insert(tx, &list.first, 20),
                    2 => insert(tx, &list.first, 10),
                    3 => {
                        reverse(tx, &list.first);
                        Ok(())
                    }
                    _ => {
                        assert_eq!(pop(tx, &list.first), Some(20));
                        Ok(())
                    }
                })?;
                log.acknowledge();
            }
            Ok(())
        };
        let check = |list: &List, history: &History<usize>| {
            let found = keys(&Committed, &list.first);
            let least = history.acknowledged().last().copied().unwrap_or(0);
            let most = history.begun().last().copied().unwrap_or(0);
            assert!(STAGES[least..=most].contains(&&found[..]), "{found:?} after {least} to {most}");
        };
        let report = Explorer::new(|| List { first: Link::null() }, workload, check).run();
        assert!(report.assert().is_exhaustive());
    }
    // ANCHOR_END: stages

    #[test]
    fn the_example_runs() {
        main().unwrap();
    }
}
