//! A region with a few nodes, what it holds, and ways to break a rule in it.

use crate::panics::panics;
use indelible::medium::Emulated;
use indelible::{Error, Link, Persistent, Region, Result, Tx, Usage, Word};

#[derive(Persistent)]
#[repr(C)]
pub struct Node {
    pub key: u64,
    pub word: Word<u64>,
    pub left: Link<Node>,
    pub right: Link<Node>,
}

#[derive(Persistent)]
#[repr(C)]
pub struct Root {
    pub empty: Link<Node>,
    pub full: Link<Node>,
    pub text: Link<str>,
    pub count: Word<u64>,
    pub other: Word<u64>,
}

pub type Made = Region<Root, Emulated>;

pub fn node(key: u64) -> Node {
    Node { key, word: Word::new(key), left: Link::null(), right: Link::null() }
}

/// `full` leads to node 1, whose left is node 2 and whose right is node 3; `empty` leads nowhere.
pub fn region() -> Made {
    let root = Root {
        empty: Link::null(),
        full: Link::null(),
        text: Link::null(),
        count: Word::new(7),
        other: Word::new(8),
    };
    let mut region = Region::new(1 << 20, root).expect("memory");
    region
        .transact(|tx, root| {
            let (left, right) = tx.flush((tx.alloc(node(2))?, tx.alloc(node(3))?));
            let mut top = tx.alloc(node(1))?;
            tx.attach(&mut top, |top| &top.left, left);
            tx.attach(&mut top, |top| &top.right, right);
            tx.publish(&root.full, tx.persist(top)?);
            tx.publish(&root.text, tx.persist(tx.alloc_str("text")?)?);
            Ok(())
        })
        .expect("room");
    region
}

/// All that is published, and what the heap holds as allocated.
pub fn contents(region: &Made) -> (Vec<u64>, Option<String>, [u64; 2], Usage) {
    let root = region.root();
    let mut keys = Vec::new();
    let mut nodes: Vec<&Node> = [&root.empty, &root.full].into_iter().filter_map(Link::get).collect();
    while let Some(node) = nodes.pop() {
        keys.extend([node.key, node.word.get()]);
        nodes.extend([&node.left, &node.right].into_iter().filter_map(Link::get));
    }
    let words = [root.count.get(), root.other.get()];
    (keys, root.text.get().map(str::to_string), words, region.usage().expect("a valid region"))
}

/// Runs a transaction that must end without a trace; then one that changes everything there is.
#[track_caller]
pub fn leaves_no_trace<X>(region: &mut Made, attempt: impl FnOnce(&mut Made) -> X) -> X {
    let before = contents(region);
    let answer = attempt(region);
    assert_eq!(contents(region), before, "the region is as it was");
    let usable = region.transact(|tx, root| {
        let (full, text) = (tx.take(&root.full), tx.take(&root.text));
        tx.publish(&root.empty, tx.persist(tx.alloc(node(5))?)?);
        tx.store(&root.count, 1);
        tx.free((full, text));
        Ok(())
    });
    assert!(usable.is_ok(), "the region goes on: {usable:?}");
    let (keys, text, words, usage) = contents(region);
    assert_eq!((keys, text, words), (vec![5, 5], None, [1, 8]));
    assert_eq!((usage.objects, usage.unreached_bytes), (2, 0));
    answer
}

/// The transaction breaks this rule: it panics in the caller's name, and if the closure catches that, the
/// commit answers [`Error::Aborted`].
#[track_caller]
pub fn breaks(rule: &str, transaction: impl for<'t> Fn(&Tx<'t, Emulated>, &'t Root) -> Result<()>) {
    let (message, file) = leaves_no_trace(&mut region(), |region| {
        panics(|| {
            region.transact(|tx, root| {
                tx.store(&root.other, 99);
                transaction(tx, root)
            })
        })
    });
    assert!(message.contains(rule), "no {rule:?} in: {message}");
    assert!(message.contains("the transaction is aborted"), "{message}");
    assert!(file.ends_with("slots.rs"), "the panic blames {file}, and not the line that broke the rule");

    let caught = leaves_no_trace(&mut region(), |region| {
        region.transact(|tx, root| {
            tx.store(&root.other, 99);
            panics(|| transaction(tx, root));
            Ok(())
        })
    });
    assert!(matches!(caught, Err(Error::Aborted)), "{caught:?}");
}
