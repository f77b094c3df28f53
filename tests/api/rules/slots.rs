//! Slots that are not where they should be, or not empty.

use indelible::{Link, Word};
use indelible_test_support::nodes::*;

/// Safe code can give a reference any lifetime by leaking what it refers to.
fn leaked() -> &'static Root {
    Box::leak(Box::new(Root {
        empty: Link::null(),
        full: Link::null(),
        text: Link::null(),
        count: Word::new(0),
        other: Word::new(0),
    }))
}

/// The root of another region that is open, and stays so.
fn of_another_region() -> &'static Root {
    let region: &'static Made = Box::leak(Box::new(region()));
    region.root()
}

const ELSEWHERE: &str = "a slot or word that is not in this transaction's region";

#[test]
fn a_slot_that_is_not_in_the_region_is_refused_by_every_verb() {
    for elsewhere in [leaked(), of_another_region()] {
        breaks(ELSEWHERE, |tx, _| {
            tx.publish(&elsewhere.empty, tx.persist(tx.alloc(node(4))?)?);
            Ok(())
        });
        breaks(ELSEWHERE, |tx, _| {
            tx.stage(&elsewhere.empty, tx.flush(tx.alloc(node(4))?));
            Ok(())
        });
        breaks(ELSEWHERE, |tx, _| {
            tx.free(tx.take(&elsewhere.full));
            Ok(())
        });
        breaks(ELSEWHERE, |tx, root| {
            tx.free(tx.replace(&elsewhere.full, tx.take(&root.full)));
            Ok(())
        });
        breaks(ELSEWHERE, |tx, _| {
            tx.store(&elsewhere.count, 1);
            Ok(())
        });
        assert_eq!((elsewhere.empty.is_null(), elsewhere.count.get() == 1), (true, false));
    }
}

#[test]
fn reading_elsewhere_is_reading_what_is_committed_there() {
    let elsewhere = of_another_region();
    region()
        .transact(|tx, root| {
            tx.store(&root.count, 1); // so that pending words are consulted
            assert_eq!(tx.get(&elsewhere.full).map(|node| node.key), Some(1));
            assert_eq!(tx.load(&elsewhere.count), 7);
            assert!(tx.get(&leaked().full).is_none());
            Ok(())
        })
        .expect("nothing is wrong with it");
}

const NOT_INSIDE: &str = "`attach` was given a link that is not inside the parent";

#[test]
fn a_child_is_attached_inside_its_parent_only() {
    for elsewhere in [leaked(), of_another_region()] {
        breaks(NOT_INSIDE, |tx, _| {
            let mut parent = tx.alloc(node(4))?;
            let child = tx.flush(tx.alloc(node(5))?);
            tx.attach(&mut parent, |_| &elsewhere.empty, child);
            Ok(())
        });
    }
    // A link of the child that was attached before: it is flushed, and may not change any more.
    breaks(NOT_INSIDE, |tx, _| {
        let mut parent = tx.alloc(node(4))?;
        let (first, second) = tx.flush((tx.alloc(node(5))?, tx.alloc(node(6))?));
        tx.attach(&mut parent, |parent| &parent.left, first);
        tx.attach(&mut parent, |parent| &parent.left.get().expect("attached").left, second);
        Ok(())
    });
    // A link of a published object, through one that moved to the new parent.
    breaks(NOT_INSIDE, |tx, root| {
        let mut parent = tx.alloc(node(4))?;
        tx.attach(&mut parent, |parent| &parent.left, tx.take(&root.full));
        let child = tx.flush(tx.alloc(node(5))?);
        tx.attach(&mut parent, |parent| &parent.left.get().expect("attached").left, child);
        Ok(())
    });
}

#[test]
fn the_first_and_the_last_link_of_a_parent_are_inside_it() {
    let mut region = region();
    region
        .transact(|tx, root| {
            let mut parents = tx.alloc_slice_with(3, |key| node(key as u64))?;
            let (first, last) = tx.flush((tx.alloc(node(5))?, tx.alloc(node(6))?));
            tx.attach(&mut parents, |parents| &parents[0].left, first);
            tx.attach(&mut parents, |parents| &parents[2].right, last);
            let mut parent = tx.alloc(node(9))?;
            let last = tx.flush(tx.alloc(node(10))?);
            tx.attach(&mut parent, |parent| &parent.right, last);
            tx.publish(&root.empty, tx.persist(parent)?);
            tx.free(parents);
            Ok(())
        })
        .expect("no rule is broken");
    assert_eq!(region.usage().expect("valid").unreached_bytes, 0);
    assert_eq!(region.root().empty.get().and_then(|node| node.right.get()).map(|node| node.key), Some(10));
}

const OCCUPIED: &str = "onto a slot that is occupied: take its object first, or use `replace`";

#[test]
fn nothing_is_put_onto_an_occupied_slot() {
    breaks(OCCUPIED, |tx, root| {
        tx.publish(&root.full, tx.persist(tx.alloc(node(4))?)?);
        Ok(())
    });
    breaks(OCCUPIED, |tx, root| {
        tx.stage(&root.full, tx.flush(tx.alloc(node(4))?));
        Ok(())
    });
    breaks(OCCUPIED, |tx, root| {
        let child = &root.full.get().expect("it is full").left;
        tx.publish(child, tx.persist(tx.alloc(node(4))?)?);
        Ok(())
    });
    breaks("`attach` onto a link that is occupied", |tx, _| {
        let mut parent = tx.alloc(node(4))?;
        let (first, second) = tx.flush((tx.alloc(node(5))?, tx.alloc(node(6))?));
        tx.attach(&mut parent, |parent| &parent.left, first);
        tx.attach(&mut parent, |parent| &parent.left, second);
        Ok(())
    });
    // Also by nothing: whoever publishes `None` there believes that it is empty.
    breaks(OCCUPIED, |tx, root| {
        tx.publish(&root.full, tx.take(&root.empty));
        Ok(())
    });
}

#[test]
fn a_slot_is_occupied_as_the_transaction_sees_it() {
    breaks(OCCUPIED, |tx, root| {
        let (first, second) = tx.persist((tx.alloc(node(4))?, tx.alloc(node(5))?))?;
        tx.publish(&root.empty, first);
        tx.publish(&root.empty, second);
        Ok(())
    });
    breaks(OCCUPIED, |tx, root| {
        let taken = tx.take(&root.full);
        tx.publish(&root.full, taken);
        tx.publish(&root.full, tx.persist(tx.alloc(node(4))?)?);
        Ok(())
    });
    let mut region = region();
    region
        .transact(|tx, root| {
            let old = tx.take(&root.full);
            tx.publish(&root.full, tx.persist(tx.alloc(node(4))?)?);
            tx.publish(&root.empty, old);
            Ok(())
        })
        .expect("what was taken left its slot empty");
    assert_eq!(region.root().full.get().map(|node| node.key), Some(4));
    assert_eq!(region.root().empty.get().map(|node| node.key), Some(1));
}
