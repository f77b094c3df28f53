//! What each kind of transaction costs, in fences and flushed lines (docs/design.md, 7.15).

use indelible::power::{self, Recorder};
use indelible::state::Flushed;
use indelible::{Link, Persistent, Pm, Region, Result, Tx, Word};
use indelible_test_support::costs::cost_of;

/// 40 bytes: with its header it fills 56 of a line's 64.
#[derive(Persistent)]
#[repr(C)]
struct Node {
    id: u64,
    value: [u64; 2],
    next: Link<Node>,
    child: Link<Node>,
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    list: Link<Node>,
    x: Word<u64>,
    y: Word<u64>,
    gap: [u64; 8],
    far: Word<u64>,
    bytes: Link<[u64]>,
}

fn node(id: u64) -> Node {
    Node { id, value: [id; 2], next: Link::null(), child: Link::null() }
}

fn region() -> Region<Root, Recorder> {
    let (x, y, far) = (Word::new(0), Word::new(0), Word::new(0));
    let root = Root { list: Link::null(), x, y, gap: [0; 8], far, bytes: Link::null() };
    power::region(1 << 20, root).unwrap()
}

/// Fences and flushed lines of one transaction after `before`.
fn cost(before: &[Body], body: Body) -> (usize, usize) {
    let mut region = region();
    let mut number = 0;
    let mut run = |region: &mut Region<Root, Recorder>, body: Body| {
        number += 1;
        region.transact(|tx, root| body(tx, root, number)).unwrap();
    };
    before.iter().for_each(|&body| run(&mut region, body));
    cost_of(&mut region, |region| run(region, body))
}

type Body = for<'t> fn(&Tx<'t, Recorder>, &'t Root, u64) -> Result<()>;

fn store<'t>(tx: &Tx<'t, Recorder>, root: &'t Root, n: u64) -> Result<()> {
    tx.store(&root.x, n);
    Ok(())
}

fn two_stores<'t>(tx: &Tx<'t, Recorder>, root: &'t Root, n: u64) -> Result<()> {
    tx.store(&root.x, n);
    tx.store(&root.far, n);
    Ok(())
}

fn push<'t>(tx: &Tx<'t, Recorder>, root: &'t Root, n: u64) -> Result<()> {
    let mut new = tx.alloc(node(n))?;
    tx.attach(&mut new, |node| &node.next, tx.take(&root.list));
    let new = tx.flush(new);
    let new = tx.fence(new)?;
    tx.publish(&root.list, new);
    Ok(())
}

fn push_staged<'t>(tx: &Tx<'t, Recorder>, root: &'t Root, n: u64) -> Result<()> {
    let mut new = tx.alloc(node(n))?;
    tx.attach(&mut new, |node| &node.next, tx.take(&root.list));
    tx.stage(&root.list, tx.flush(new));
    Ok(())
}

fn push_staged_and_store<'t>(tx: &Tx<'t, Recorder>, root: &'t Root, n: u64) -> Result<()> {
    push_staged(tx, root, n)?;
    tx.store(&root.far, n);
    Ok(())
}

fn push_pair<'t>(tx: &Tx<'t, Recorder>, root: &'t Root, n: u64) -> Result<()> {
    let mut below = tx.alloc(node(n))?;
    tx.attach(&mut below, |node| &node.next, tx.take(&root.list));
    let below = tx.flush(below);
    let mut above = tx.alloc(node(n))?;
    tx.attach(&mut above, |node| &node.next, below);
    tx.stage(&root.list, tx.flush(above));
    Ok(())
}

fn push_and_store<'t>(tx: &Tx<'t, Recorder>, root: &'t Root, n: u64) -> Result<()> {
    push(tx, root, n)?;
    tx.store(&root.far, n);
    Ok(())
}

fn push_and_store_in_it<'t>(tx: &Tx<'t, Recorder>, root: &'t Root, n: u64) -> Result<()> {
    push(tx, root, n)?;
    let new = tx.get(&root.list).expect("published");
    let inner = tx.alloc(node(n))?;
    tx.stage(&new.child, tx.flush(inner));
    Ok(())
}

fn stream<'t>(tx: &Tx<'t, Recorder>, root: &'t Root, n: u64) -> Result<()> {
    let new = tx.stream_slice(&[n; 1000])?;
    tx.free(tx.take(&root.bytes));
    tx.stage(&root.bytes, new);
    Ok(())
}

/// A hundred objects, each linked to the next, under one publication.
fn tree_of_100<'t>(tx: &Tx<'t, Recorder>, root: &'t Root, n: u64) -> Result<()> {
    let top = top_of_100(tx, root, n)?;
    tx.publish(&root.list, tx.fence(top)?);
    Ok(())
}

fn tree_of_100_staged<'t>(tx: &Tx<'t, Recorder>, root: &'t Root, n: u64) -> Result<()> {
    let top = top_of_100(tx, root, n)?;
    tx.stage(&root.list, top);
    Ok(())
}

fn top_of_100<'t>(tx: &Tx<'t, Recorder>, root: &'t Root, n: u64) -> Result<Pm<'t, Node, Flushed>> {
    let mut below = None;
    for _ in 0..99 {
        let mut parent = tx.alloc(node(n))?;
        tx.attach(&mut parent, |node| &node.child, below.take());
        below = Some(tx.flush(parent));
    }
    let mut top = tx.alloc(node(n))?;
    tx.attach(&mut top, |node| &node.child, below);
    tx.attach(&mut top, |node| &node.next, tx.take(&root.list));
    Ok(tx.flush(top))
}

#[test]
fn each_transaction_costs_what_the_design_says() {
    // What came before must not matter: nothing, a record that is not settled, two of them, a publication.
    let pasts: [&[Body]; 5] =
        [&[], &[two_stores], &[two_stores, two_stores], &[two_stores, push], &[push, push_and_store, store]];
    let rows: [(&str, Body, usize); 11] = [
        ("lone store", store, 1),
        ("two stores", two_stores, 1),
        ("publish one object of 40 bytes", push, 2),
        ("the same, staged", push_staged, 1),
        ("the same, and another word", push_staged_and_store, 1),
        ("stage two objects, one under the other", push_pair, 1),
        ("publish and store", push_and_store, 2),
        ("publish, then stage into the new object", push_and_store_in_it, 3),
        ("stream 8,000 bytes and stage them", stream, 2),
        ("tree of 100 objects, one publish", tree_of_100, 2),
        ("the same, staged: more than is worth a hash", tree_of_100_staged, 2),
    ];
    println!("{:<42}{:>8}  flushed lines, by what came before", "transaction", "fences");
    for (name, body, fences) in rows {
        let costs = pasts.map(|before| cost(before, body));
        println!("{name:<42}{:>8}  {:?}", costs[0].0, costs.map(|cost| cost.1));
        assert!(costs.iter().all(|cost| cost.0 == fences), "{name}: {costs:?}");
    }
}

#[test]
fn no_line_is_flushed_that_need_not_be() {
    assert_eq!(cost(&[], store), (1, 1), "the word's line");
    assert_eq!(cost(&[], push), (2, 2), "the object's one line, the slot's line");
    assert_eq!(cost(&[], push_staged), (1, 2), "the object's one line, the record's");
    assert_eq!(cost(&[], push_pair), (1, 3), "a line for each object, and the record's");
    assert_eq!(cost(&[], push_staged_and_store), (1, 3), "object, a record of 72 bytes");
    assert_eq!(cost(&[], two_stores), (1, 1), "the record's one line");
    let both_in_one_line: Body = |tx, root, n| {
        tx.store(&root.y, n);
        store(tx, root, n)
    };
    assert_eq!(cost(&[], both_in_one_line), (1, 1), "the record's one line");
    assert_eq!(cost(&[], push_and_store), (2, 2), "object, record");
    assert_eq!(cost(&[], tree_of_100), (2, 101), "a line for each object, the slot's line");
    assert_eq!(cost(&[two_stores], push), (2, 2), "the record is none of its business");
    assert_eq!(cost(&[two_stores], push_staged), (1, 4), "and the words of the record before");
    assert_eq!(cost(&[two_stores], two_stores), (1, 1), "which are changed again");
}

/// A word that was in a record is one each time, until that is not worth it any more.
#[test]
fn a_word_that_is_changed_again_and_again_goes_alone_in_the_end() {
    let mut region = region();
    region.transact(|tx, root| two_stores(tx, root, 1)).unwrap();
    let costs = [(); 40].map(|()| {
        cost_of(&mut region, |region| {
            region.transact(|tx, root| store(tx, root, tx.load(&root.x) + 1)).unwrap()
        })
    });
    assert_eq!(costs[0], (1, 2), "a record with one entry, and the other word's line");
    assert_eq!(costs[1..15], [(1, 1); 14], "a record");
    assert_eq!(costs[15], (2, 3), "a fence more, the word's line before it, and the line of `RET`");
    assert_eq!(costs[16..], [(1, 1); 24], "the word's line");
}

#[test]
fn an_aborted_or_empty_transaction_fences_nothing() {
    let mut region = region();
    let start = region.medium().trace();
    region.transact(|_, _| Ok(())).unwrap();
    let aborted: Result<()> = region.transact(|tx, root| {
        let new = tx.alloc(node(1))?;
        tx.free(tx.take(&root.list));
        tx.store(&root.x, 1);
        drop(new);
        Err(indelible::Error::other("no"))
    });
    assert!(aborted.is_err());
    // Put back what was taken, store what is there already.
    region
        .transact(|tx, root| {
            let list = tx.take(&root.list);
            tx.publish(&root.list, list);
            tx.store(&root.x, 0);
            Ok(())
        })
        .unwrap();
    let trace = region.medium().trace().since(&start);
    assert_eq!((trace.fences(), trace.flushed_lines()), (0, 0));
}

/// Also right after a record whose words are not settled yet, and where only some of the words change.
#[test]
fn a_word_that_keeps_its_value_costs_nothing() {
    fn the_same<'t>(tx: &Tx<'t, Recorder>, root: &'t Root, _: u64) -> Result<()> {
        tx.store(&root.x, tx.load(&root.x));
        tx.store(&root.far, tx.load(&root.far));
        Ok(())
    }
    fn one_of_three<'t>(tx: &Tx<'t, Recorder>, root: &'t Root, n: u64) -> Result<()> {
        tx.store(&root.y, n);
        the_same(tx, root, n)
    }
    let pasts: [&[Body]; 4] = [&[], &[two_stores], &[two_stores, two_stores], &[two_stores, store]];
    for (index, before) in pasts.into_iter().enumerate() {
        assert_eq!(cost(before, the_same), (0, 0), "past {index}");
    }
    assert_eq!(cost(&[], one_of_three), (1, 1), "one word alone");
    assert_eq!(cost(&[store], one_of_three), (1, 1), "one word alone");
    assert_eq!(cost(&[two_stores], one_of_three), (1, 1), "one that is in no record");
}
