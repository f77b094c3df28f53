//! Two regions.

use super::*;

#[test]
fn regions_that_are_swapped_take_everything_with_them() {
    let (mut a, mut b) = (region(), region());
    empty(&mut a);
    std::mem::swap(&mut a, &mut b);
    untouched(&mut a);
    assert_eq!(keys(&b), [0_u64; 0]);
    let old = std::mem::replace(&mut a, region());
    drop(old);
    untouched(&mut a);
}

#[test]
fn a_slot_of_the_outer_region_is_nothing_to_the_inner_one() {
    let (mut outer, mut inner) = (region(), region());
    let stranger: &'static Region<Root, Emulated> = Box::leak(Box::new(region()));
    outer
        .transact(|_, _| {
            let (message, _) = panics(|| {
                inner.transact(|tx, root| {
                    tx.publish(&stranger.root().slots[1], tx.take(&root.slots[0]));
                    Ok(())
                })
            });
            assert!(message.contains("not in this transaction's region"), "{message}");
            Ok(())
        })
        .expect("no rule is broken");
    untouched(&mut outer);
    untouched(&mut inner);
    assert!(stranger.root().slots[1].is_null());
}
