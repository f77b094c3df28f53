//! Transactions of two regions, one inside the other: each is whole by itself.

use indelible::Error;
use indelible_test_support::{nodes::*, panics::panics};

fn counts(region: &Made) -> (u64, u64) {
    (region.root().count.get(), region.root().other.get())
}

#[test]
fn the_inner_commits_although_the_outer_aborts() {
    let (mut outer, mut inner) = (region(), region());
    let before = contents(&outer);
    let result = outer.transact(|tx, root| {
        tx.store(&root.count, 1);
        inner.transact(|tx, root| {
            tx.store(&root.count, 2);
            tx.free(tx.take(&root.full));
            Ok(())
        })?;
        Err::<(), _>(Error::other("mine"))
    });
    assert!(result.is_err());
    assert_eq!(contents(&outer), before);
    assert_eq!((counts(&inner), inner.root().full.is_null()), ((2, 8), true));
}

#[test]
fn the_outer_commits_although_the_inner_aborts() {
    let (mut outer, mut inner) = (region(), region());
    let before = contents(&inner);
    outer
        .transact(|outer, root| {
            outer.store(&root.count, 1);
            let result = inner.transact(|tx, inner_root| {
                // Both are at hand here: each verb goes to the region of its transaction.
                outer.store(&root.other, tx.load(&inner_root.count));
                tx.store(&inner_root.count, outer.load(&root.count));
                Err::<(), _>(Error::other("mine"))
            });
            assert!(result.is_err());
            Ok(())
        })
        .expect("no rule is broken");
    assert_eq!(counts(&outer), (1, 7));
    assert_eq!(contents(&inner), before);
}

#[test]
fn a_broken_rule_aborts_its_own_transaction_only() {
    let (mut outer, mut inner) = (region(), region());
    let before = contents(&inner);
    outer
        .transact(|tx, root| {
            tx.store(&root.count, 1);
            panics(|| {
                inner.transact(|tx, root| {
                    tx.store(&root.count, 2);
                    tx.publish(&root.full, tx.persist(tx.alloc(node(4))?)?);
                    Ok(())
                })
            });
            Ok(())
        })
        .expect("the outer broke none");
    assert_eq!(counts(&outer), (1, 8));
    assert_eq!(contents(&inner), before);

    let before = contents(&outer);
    let result = outer.transact(|tx, root| {
        let new = tx.persist(tx.alloc(node(4))?)?;
        panics(|| tx.publish(&root.full, new));
        inner.transact(|tx, root| {
            tx.store(&root.count, 3);
            Ok(())
        })
    });
    assert!(matches!(result, Err(Error::Aborted)), "{result:?}");
    assert_eq!(contents(&outer), before);
    assert_eq!(counts(&inner), (3, 8));
}

#[test]
fn orphans_are_those_of_their_own_region() {
    let (mut outer, mut inner) = (region(), region());
    let result = outer.transact(|tx, root| {
        let taken = tx.take(&root.full);
        inner.transact(|tx, root| {
            tx.free(tx.take(&root.full));
            Ok(())
        })?;
        tx.publish(&root.empty, taken);
        let orphaned = inner.transact(|tx, root| {
            let _orphan = tx.take(&root.text);
            Ok(())
        });
        assert!(matches!(orphaned, Err(Error::Orphaned { handles: 1, .. })), "{orphaned:?}");
        Ok(())
    });
    assert!(result.is_ok(), "{result:?}");
    assert!(inner.root().full.is_null() && inner.root().text.get().is_some());
    assert!(outer.root().full.is_null() && outer.root().empty.get().is_some());
}

/// A moves to B while B moves to A, value by value, and back.
#[test]
fn crossed_transactions_can_copy_both_ways() {
    let (mut a, mut b) = (region(), region());
    a.transact(|ta, ra| {
        ta.store(&ra.count, 1);
        b.transact(|tb, rb| {
            let key = ta.get(&ra.full).map_or(0, |node| node.key) + 10;
            tb.free(tb.replace(&rb.full, tb.persist(tb.alloc(node(key))?)?));
            ta.free(ta.replace(&ra.full, ta.persist(ta.alloc(node(key + 10))?)?));
            tb.store(&rb.count, ta.load(&ra.count));
            Ok(())
        })
    })
    .expect("no rule is broken");
    assert_eq!(contents(&a).0, [21, 21]);
    assert_eq!(contents(&b).0, [11, 11]);
    assert_eq!((counts(&a), counts(&b)), ((1, 8), (1, 8)));
}
