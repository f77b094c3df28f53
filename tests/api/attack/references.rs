//! References that outlive the owner of what they refer to, within their transaction.

use super::*;

#[test]
fn what_is_published_into_a_freed_tree_is_freed_with_it() {
    let mut region = region();
    region
        .transact(|tx, root| {
            let top = tx.take(&root.slots[0]).expect("full");
            let (stale, child) = (top.get(), top.get().left.get().expect("node 2"));
            tx.free(top);
            tx.publish(&child.left, tx.persist(tx.alloc(node(4))?)?);
            assert_eq!(tx.get(&child.left).map(|new| new.key), Some(4));
            // And what is taken out of it is not.
            tx.publish(&root.slots[1], tx.take(&stale.right));
            tx.store(&stale.word, 77);
            Ok(())
        })
        .expect("everything has an owner");
    assert_eq!(keys(&region), [3]);
    assert_eq!(region.usage().expect("valid").unreached_bytes, 0);
}

#[test]
fn the_old_block_of_a_rewritten_object_owns_nothing() {
    let mut region = region();
    region
        .transact(|tx, root| {
            let top = tx.take(&root.slots[0]).expect("full");
            let stale = top.get();
            tx.store(&stale.word, 11);
            let copy = tx.rewrite(top)?;
            assert_eq!(copy.word.get(), 11);
            assert!(tx.take(&stale.left).is_none(), "the link has moved");
            tx.publish(&stale.left, tx.persist(tx.alloc(node(4))?)?); // freed with the old block
            tx.store(&stale.word, 99); // lost with it
            tx.publish(&root.slots[0], tx.persist(copy)?);
            assert_eq!(stale.key, 1);
            Ok(())
        })
        .expect("everything has an owner");
    assert_eq!(keys(&region), [1, 2, 3]);
    assert_eq!(contents(region.root())[0], [0, 0, 1, 11]);
    assert_eq!(region.usage().expect("valid").unreached_bytes, 0);
}

#[test]
fn an_object_is_rewritten_again_and_again_in_one_transaction() {
    let mut region = region();
    region
        .transact(|tx, root| {
            for round in 0..40 {
                let mut copy = tx.rewrite(tx.take(&root.slots[0]).expect("full"))?;
                *copy.fields().key = 100 + round;
                copy.fields().word.set(round);
                match round % 2 {
                    0 => tx.stage(&root.slots[0], tx.flush(copy)),
                    _ => tx.publish(&root.slots[0], tx.persist(copy)?),
                }
                let here = tx.get(&root.slots[0]).expect("full");
                tx.store(&here.word, round + 1);
            }
            Ok(())
        })
        .expect("everything has an owner");
    assert_eq!(keys(&region), [2, 3, 139]);
    assert_eq!(contents(region.root())[0], [0, 0, 139, 40]);
    assert_eq!(region.usage().expect("valid").unreached_bytes, 0);
}

/// The slot is at the object's own address, so that the distance between the two is 0, which means null.
#[test]
fn an_object_published_into_its_own_first_link_is_lost_as_in_any_circle() {
    for first in [true, false] {
        let mut region = region();
        region
            .transact(|tx, root| {
                let top = tx.take(&root.slots[0]).expect("full");
                let inside = top.get();
                tx.free((tx.take(&inside.left), tx.take(&inside.right)));
                tx.publish(if first { &inside.left } else { &inside.right }, top);
                Ok(())
            })
            .expect("it has an owner: itself");
        assert_eq!(keys(&region), [0_u64; 0]);
        assert!(region.usage().expect("valid").unreached_bytes > 0);
        region
            .transact(|tx, root| {
                tx.publish(&root.slots[0], tx.persist(tx.alloc(node(5))?)?);
                Ok(())
            })
            .expect("room");
        assert_eq!(keys(&region), [5]);
    }
}

#[test]
fn a_circle_can_be_opened_again_by_who_holds_a_reference() {
    let mut region = region();
    region
        .transact(|tx, root| {
            let top = tx.take(&root.slots[0]).expect("full");
            let (a, b) = (top.get(), top.get().left.get().expect("node 2"));
            tx.publish(&b.left, top); // 1 → 2 → 1, and nobody else
            let again = tx.take(&a.left).expect("node 2");
            tx.publish(&root.slots[1], again);
            Ok(())
        })
        .expect("everything has an owner");
    assert_eq!(keys(&region), [1, 2, 3]);
    assert_eq!(region.usage().expect("valid").unreached_bytes, 0);
}

/// Blocks that a transaction gives up are not reused before it ends, so that old references stay good.
#[test]
fn nothing_is_reused_while_a_reference_may_exist() {
    let mut region = region();
    region
        .transact(|tx, root| {
            let mut stale: Vec<(&Node, u64)> = Vec::new();
            for round in 0..200 {
                if let Some(taken) = tx.take(&root.slots[1]) {
                    stale.push((taken.get(), round - 1));
                    tx.free(taken);
                }
                let new = tx.alloc(node(round))?;
                let freed = tx.alloc(node(u64::MAX))?;
                tx.free(freed);
                tx.publish(&root.slots[1], tx.persist(new)?);
            }
            assert!(stale.iter().all(|(node, key)| node.key == *key && node.word.get() == *key));
            assert_eq!(stale.len(), 199);
            Ok(())
        })
        .expect("everything has an owner");
    assert_eq!(keys(&region), [1, 2, 3, 199]);
    assert_eq!(region.usage().expect("valid").unreached_bytes, 0);
}
