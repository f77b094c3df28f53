//! Every object that a transaction makes or takes must find an owner: one counter, looked at when the closure
//! answers `Ok`.

use indelible::medium::Emulated;
use indelible::{Child, Error, Result, Tx};
use indelible_test_support::{nodes::*, panics::panics};

/// How many objects without an owner the commit finds.
#[track_caller]
fn orphans(transaction: impl for<'t> FnOnce(&Tx<'t, Emulated>, &'t Root) -> Result<()>) -> usize {
    let mut region = region();
    let before = contents(&region);
    match region.transact(transaction) {
        Ok(()) => {
            assert_eq!(region.usage().expect("valid").unreached_bytes, 0, "everything has an owner");
            0
        }
        Err(Error::Orphaned { handles, .. }) => {
            assert_eq!(contents(&region), before, "nothing was changed");
            leaves_no_trace(&mut region, |_| {});
            handles
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// So many objects without an owner are left by a closure that does this and answers `Ok`.
macro_rules! left {
    ($count:literal, |$tx:pat_param, $root:pat_param| $does:expr) => {
        let count = orphans(|$tx, $root| {
            let _ = $does;
            Ok(())
        });
        assert_eq!(count, $count);
    };
}

#[test]
fn each_new_object_counts() {
    left!(1, |tx, _| tx.alloc(node(4))?);
    left!(1, |tx, _| tx.alloc_slice(&[1_u32, 2, 3])?);
    left!(1, |tx, _| tx.alloc_slice_with(3, |_| node(4))?);
    left!(1, |tx, _| tx.alloc_slice::<u8>(&[])?);
    left!(1, |tx, _| tx.alloc_str("")?);
    left!(1, |tx, _| tx.stream_slice(&[1_u64; 1000])?);
}

#[test]
fn what_is_taken_counts_and_nothing_does_not() {
    left!(1, |tx, root| tx.take(&root.full));
    left!(0, |tx, root| tx.take(&root.empty));
    left!(1, |tx, root| tx.replace(&root.full, tx.persist(tx.alloc(node(4))?)?));
    left!(0, |tx, root| tx.replace(&root.empty, tx.persist(tx.alloc(node(4))?)?));
    left!(1, |tx, root| tx.replace(&root.full, tx.take(&root.empty)));
}

#[test]
fn an_owner_takes_the_object_off_the_count() {
    left!(0, |tx, root| tx.publish(&root.empty, tx.persist(tx.alloc(node(4))?)?));
    left!(0, |tx, root| tx.publish(&root.empty, tx.take(&root.full)));
    left!(0, |tx, root| tx.stage(&root.empty, tx.flush(tx.alloc(node(4))?)));
    left!(0, |tx, root| tx.stage(&root.empty, tx.take(&root.full).map(Child::from)));
    left!(0, |tx, root| tx.free(tx.take(&root.full)));
    left!(0, |tx, _| tx.free(tx.alloc(node(4))?));
    left!(0, |tx, _| tx.free(tx.flush(tx.alloc(node(4))?)));
    left!(0, |tx, _| tx.free(tx.persist(tx.alloc(node(4))?)?));
    left!(0, |tx, _| tx.free(tx.stream_slice(&[7_u8; 100])?));
}

#[test]
fn an_attached_child_has_its_parent_and_the_parent_counts() {
    let parent = |publish: bool| {
        orphans(move |tx, root| {
            let mut parent = tx.alloc(node(4))?;
            let child = tx.flush(tx.alloc(node(5))?);
            tx.attach(&mut parent, |parent| &parent.left, child);
            tx.attach(&mut parent, |parent| &parent.right, tx.take(&root.full));
            let parent = tx.persist(parent)?;
            match publish {
                true => tx.publish(&root.empty, parent),
                false => drop(parent),
            }
            Ok(())
        })
    };
    assert_eq!(parent(true), 0);
    assert_eq!(parent(false), 1);
}

#[test]
fn putting_nothing_somewhere_counts_nothing() {
    left!(0, |tx, root| tx.publish(&root.empty, tx.take(&root.empty)));
    left!(0, |tx, root| tx.stage(&root.empty, tx.take(&root.empty)));
    left!(0, |tx, root| tx.free(tx.take(&root.empty)));
    let attached = orphans(|tx, root| {
        let mut parent = tx.alloc(node(4))?;
        tx.attach(&mut parent, |parent| &parent.left, tx.take(&root.empty));
        tx.publish(&root.empty, tx.persist(parent)?);
        Ok(())
    });
    assert_eq!(attached, 0);
}

#[test]
fn a_rewritten_object_counts_once() {
    let rewritten = |publish: bool| {
        orphans(move |tx, root| {
            let copy = tx.rewrite(tx.take(&root.full).expect("it is full"))?;
            match publish {
                true => tx.publish(&root.full, tx.persist(copy)?),
                false => drop(copy),
            }
            Ok(())
        })
    };
    assert_eq!(rewritten(true), 0);
    assert_eq!(rewritten(false), 1);
}

#[test]
fn flushing_and_fencing_count_nothing_and_containers_count_their_members() {
    left!(1, |tx, _| tx.flush(tx.alloc(node(4))?));
    left!(1, |tx, _| tx.persist(tx.alloc(node(4))?)?);
    left!(2, |tx, _| [tx.alloc(node(4))?, tx.alloc(node(5))?]);
    left!(2, |tx, _| tx.flush(vec![tx.alloc(node(4))?, tx.alloc(node(5))?]));
    left!(0, |tx, _| tx.free(vec![tx.alloc(node(4))?, tx.alloc(node(5))?]));
    left!(0, |tx, _| tx.free((tx.alloc(node(4))?, tx.flush(tx.alloc(node(5))?))));
    left!(0, |tx, root| tx.free((tx.alloc(node(4))?, tx.take(&root.full))));
}

/// However it got lost: `must_use` is a lint, and `forget` and `leak` are safe.
#[test]
fn an_object_can_not_be_lost_in_silence() {
    #[expect(clippy::forget_non_drop, reason = "a handle has no `Drop`: the counter is all there is")]
    let forgotten = orphans(|tx, _| {
        std::mem::forget(tx.alloc(node(4))?);
        Ok(())
    });
    assert_eq!(forgotten, 1);
    let leaked = orphans(|tx, _| {
        Box::leak(Box::new(tx.alloc(node(4))?));
        Ok(())
    });
    assert_eq!(leaked, 1);
    let unwound = orphans(|tx, root| {
        let taken = tx.take(&root.full);
        panics(move || {
            let _taken = taken;
            panic!("the application's own");
        });
        Ok(())
    });
    assert_eq!(unwound, 1);
}

/// The counter is looked at on `Ok` only: an error is the reason that the caller sees.
#[test]
fn an_error_comes_before_orphans() {
    let error = region().transact(|tx, root| {
        let _orphan = tx.take(&root.full);
        Err::<(), _>(Error::other("mine"))
    });
    assert!(matches!(error, Err(Error::Other(_))), "{error:?}");
}

/// A flush that nothing has waited for when the commit begins. That a fence follows it before anything is
/// published is for the explorer to see; here, that such a commit is whole.
#[test]
fn what_was_flushed_and_not_fenced_does_not_stop_a_commit() {
    let freed = orphans(|tx, root| {
        tx.free(tx.flush(tx.alloc(node(4))?));
        tx.store(&root.count, 1);
        tx.store(&root.other, 2);
        Ok(())
    });
    assert_eq!(freed, 0);
    let leaked = orphans(|tx, root| {
        let _leaked = tx.flush(tx.alloc(node(4))?);
        tx.store(&root.count, 1);
        Ok(())
    });
    assert_eq!(leaked, 1);
    let staged = orphans(|tx, root| {
        tx.stage(&root.empty, tx.flush(tx.alloc(node(4))?));
        tx.store(&root.count, 1);
        Ok(())
    });
    assert_eq!(staged, 0);
}

/// Known in builds with debug assertions only.
#[test]
fn the_error_names_the_place_of_the_oldest_that_has_no_owner() {
    fn place(error: Result<()>) -> Option<u32> {
        match error {
            Err(Error::Orphaned { place, .. }) => {
                assert!(place.is_none_or(|place| place.file() == file!()));
                place.map(|place| place.line())
            }
            other => panic!("{other:?}"),
        }
    }
    let known = |line: u32| cfg!(debug_assertions).then_some(line);
    let mut region = region();
    let mut line = 0;
    let allocated = region.transact(|tx, root| {
        let (owned, freed) = (tx.persist(tx.alloc(node(4))?)?, tx.alloc(node(5))?);
        line = line!() + 1;
        let _forgotten = tx.alloc_slice(&[1_u8, 2])?;
        let _younger = tx.alloc(node(6))?;
        tx.publish(&root.empty, owned);
        tx.free(tx.flush(freed));
        Ok(())
    });
    assert_eq!(place(allocated), known(line));
    let taken = region.transact(|tx, root| {
        let mut parent = tx.alloc(node(4))?;
        line = line!() + 1;
        let taken = tx.take(&root.full);
        tx.attach(&mut parent, |parent| &parent.left, tx.flush(tx.alloc(node(5))?));
        tx.publish(&root.empty, tx.persist(parent)?);
        let _lost = taken;
        Ok(())
    });
    assert_eq!(place(taken), known(line));
    let copied = region.transact(|tx, root| {
        let old = tx.take(&root.full).expect("there is one");
        line = line!() + 1;
        let _copy = tx.rewrite(old)?;
        Ok(())
    });
    assert_eq!(place(copied), known(line));
    // What one transaction has left is forgotten with it.
    let after = region.transact(|tx, _| {
        line = line!() + 1;
        drop(tx.alloc(node(4))?);
        Ok(())
    });
    assert_eq!(place(after), known(line));
}
