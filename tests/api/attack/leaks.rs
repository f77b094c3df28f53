//! Handles that are leaked, to get at an object that is still `Dirty`.

use super::*;

/// Leaking a handle gives `&'t` to an object under construction, and so slots and words that the verbs take.
#[test]
fn verbs_on_a_leaked_handles_own_slots_never_commit() {
    let mut region = region();
    let result = region.transact(|tx, root| {
        let leaked: &_ = Box::leak(Box::new(tx.alloc(node(4))?));
        tx.publish(&leaked.left, tx.take(&root.slots[0]));
        tx.store(&leaked.word, 44);
        tx.publish(&root.slots[1], tx.take(&leaked.left));
        assert_eq!(tx.load(&leaked.word), 44);
        Ok(())
    });
    assert_eq!(orphans(result), 1);
    untouched(&mut region);
}

/// A link that `attach` stored directly is seen by `take`, and its child has two ways to it then.
#[test]
fn a_child_taken_out_of_a_leaked_parent_never_commits_twice() {
    let mut region = region();
    let result = region.transact(|tx, root| {
        let parent: &mut Pm<'_, Node, Dirty> = Box::leak(Box::new(tx.alloc(node(4))?));
        tx.attach(parent, |parent| &parent.left, tx.take(&root.slots[0]));
        let parent: &Node = parent;
        let child = tx.take(&parent.left).expect("attached");
        tx.publish(&root.slots[1], child);
        assert!(tx.get(&parent.left).is_none());
        Ok(())
    });
    assert_eq!(orphans(result), 1);
    untouched(&mut region);
}

/// The guard of a lock is leaked instead: the lock stays locked, and the handle inside out of reach.
#[test]
fn a_leaked_guard_gives_a_reference_and_keeps_the_handle() {
    let mut region = region();
    let result = region.transact(|tx, root| {
        let lock: &Mutex<Option<Pm<'_, Node, Persisted>>> =
            Box::leak(Box::new(Mutex::new(Some(tx.persist(tx.alloc(node(4))?)?))));
        let guard: &_ = Box::leak(Box::new(lock.lock().expect("nothing panicked")));
        let inside: &Node = guard.as_ref().expect("a handle");
        tx.publish(&inside.left, tx.take(&root.slots[0]));
        assert!(lock.try_lock().is_err());
        Ok(())
    });
    assert_eq!(orphans(result), 1);
    untouched(&mut region);
}

/// The counter has a sign: something leaked is not made up for by anything else.
#[test]
fn nothing_balances_a_leak() {
    let mut region = region();
    let result = region.transact(|tx, root| {
        Box::leak(Box::new(tx.alloc(node(4))?));
        tx.publish(&root.slots[1], None::<Pm<'_, Node, Persisted>>);
        tx.publish(&root.slots[1], Some(None::<Taken<'_, Node>>));
        tx.free((None::<Taken<'_, Node>>, Vec::<Pm<'_, Node, Flushed>>::new(), [None::<Taken<'_, u64>>; 0]));
        tx.free(tx.take(&root.slots[2]));
        let mut parent = tx.alloc(node(5))?;
        tx.attach(&mut parent, |parent| &parent.left, None::<Taken<'_, Node>>);
        tx.free(parent);
        let old = tx.replace(&root.slots[0], None::<Taken<'_, Node>>);
        tx.publish(&root.slots[0], old);
        Ok(())
    });
    assert_eq!(orphans(result), 1);
    untouched(&mut region);
}
