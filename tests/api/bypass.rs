//! Honest attempts in safe code to get round the rules, of those that compile: each meets the run-time rule, or
//! is harmless. Those that don't compile are `ui-tests/cases/bypass/`; slots and orphans of the simple kind are in
//! `tests/api/rules/`.

use indelible::medium::Emulated;
use indelible::power;
use indelible::state::{Dirty, Flushed};
use indelible::{Error, Link, Persistent, Pm, Region, Result, Tx};
use indelible_test_support::{costs::cost, nodes::*, panics::panics};
use std::collections::HashSet;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::thread;

/// The attempt answers `Ok` and loses objects: the commit refuses, and nothing was changed.
#[track_caller]
fn orphans(attempt: impl for<'t> FnOnce(&Tx<'t, Emulated>, &'t Root) -> Result<()>) -> usize {
    let result = leaves_no_trace(&mut region(), |region| {
        region.transact(|tx, root| {
            tx.store(&root.other, 99);
            attempt(tx, root)
        })
    });
    match result {
        Err(Error::Orphaned { handles, .. }) => handles,
        other => panic!("{other:?}"),
    }
}

/// The attempt is allowed. Answers the region as it is then; nothing in it is without an owner.
#[track_caller]
fn allowed(attempt: impl for<'t> FnOnce(&Tx<'t, Emulated>, &'t Root) -> Result<()>) -> Made {
    let mut region = region();
    region.transact(attempt).expect("no rule is broken");
    assert_eq!(region.usage().expect("valid").unreached_bytes, 0);
    region
}

// --- leaked handles ----------------------------------------------------------------------------------------

/// Leaked, a handle is borrowed as long as the transaction, and so its links are slots.
#[test]
fn the_child_of_a_leaked_handle_can_be_published_and_the_leak_is_an_orphan() {
    let attempt = |leak_last: bool| {
        orphans(move |tx, root| {
            let child = tx.flush(tx.alloc(node(5))?); // never fenced
            let mut parent = tx.alloc(node(4))?;
            tx.attach(&mut parent, |parent| &parent.left, child);
            let parent: &Pm<_, Dirty> = Box::leak(Box::new(parent));
            let stolen = tx.take(&parent.left);
            assert_eq!(stolen.as_ref().map(|child| child.get().key), Some(5));
            match leak_last {
                true => tx.publish(&root.empty, stolen),
                false => tx.free(stolen),
            }
            assert!(tx.take(&parent.left).is_none(), "taken once is taken");
            Ok(())
        })
    };
    assert_eq!((attempt(true), attempt(false)), (1, 1));
}

#[test]
fn publishing_into_a_leaked_handle_loses_it_all() {
    let count = orphans(|tx, root| {
        let parent: &Pm<_, Dirty> = Box::leak(Box::new(tx.alloc(node(4))?));
        tx.publish(&parent.left, tx.persist(tx.alloc(node(5))?)?);
        tx.publish(&parent.right, tx.take(&root.full));
        tx.store(&parent.word, 6);
        assert_eq!(tx.get(&parent.right).map(|child| child.key), Some(1));
        assert_eq!(parent.word.get(), 4, "until the commit, which does not come");
        Ok(())
    });
    assert_eq!(count, 1);
}

#[test]
fn a_flushed_object_that_changes_through_a_leak_is_not_published() {
    let count = orphans(|tx, _| {
        let flushed: &Pm<_, Flushed> = Box::leak(Box::new(tx.flush(tx.alloc(node(4))?)));
        tx.store(&flushed.word, 6);
        tx.fence(())
    });
    assert_eq!(count, 1);
}

#[test]
#[allow(clippy::forget_non_drop, reason = "as someone would write it who wants to be rid of a handle")]
fn a_handle_that_is_hidden_for_good_is_an_orphan() {
    struct Cycle<'t>(std::cell::RefCell<Option<Rc<Cycle<'t>>>>, #[expect(dead_code)] Pm<'t, Node, Dirty>);
    let count = orphans(|tx, root| {
        std::mem::forget(Box::new(tx.alloc(node(4))?));
        let _hidden = ManuallyDrop::new(tx.flush(tx.alloc(node(5))?));
        Vec::leak(vec![tx.take(&root.full), None]);
        let cycle = Rc::new(Cycle(None.into(), tx.alloc(node(6))?));
        *cycle.0.borrow_mut() = Some(Rc::clone(&cycle));
        Ok(())
    });
    assert_eq!(count, 4);
}

#[test]
fn a_handle_that_a_caught_panic_dropped_is_an_orphan() {
    let count = orphans(|tx, root| {
        let handle = tx.alloc(node(4))?;
        let taken = tx.take(&root.full);
        panics(move || {
            let _both = (handle, taken);
            panic!("the application's own")
        });
        Ok(())
    });
    assert_eq!(count, 2);
}

// --- slots elsewhere ---------------------------------------------------------------------------------------

static SLOT: Link<Node> = Link::null();

#[test]
fn a_slot_in_a_static_is_refused() {
    type Attempt = for<'t> fn(&Tx<'t, Emulated>, &'t Root) -> Result<()>;
    let attempts: [Attempt; 4] = [
        |tx, root| {
            tx.publish(&SLOT, tx.take(&root.full));
            Ok(())
        },
        |tx, root| {
            tx.stage(&SLOT, tx.take(&root.full));
            Ok(())
        },
        |tx, root| {
            tx.free(tx.replace(&SLOT, tx.take(&root.full)));
            Ok(())
        },
        |tx, _| {
            tx.free(tx.take(&SLOT));
            Ok(())
        },
    ];
    for attempt in attempts {
        let (message, _) = leaves_no_trace(&mut region(), |region| panics(|| region.transact(attempt)));
        assert!(message.contains("not in this transaction's region"), "{message}");
        let caught = leaves_no_trace(&mut region(), |region| {
            region.transact(|tx, root| {
                panics(|| attempt(tx, root));
                Ok(())
            })
        });
        assert!(matches!(caught, Err(Error::Aborted)), "{caught:?}");
    }
    assert!(SLOT.is_null());
}

// --- what was taken or freed -------------------------------------------------------------------------------

#[test]
fn what_was_taken_or_freed_can_be_read_to_the_end() {
    let region = allowed(|tx, root| {
        let old = tx.get(&root.full).expect("it is full");
        let taken = tx.take(&root.full).expect("it is full");
        assert!(tx.take(&root.full).is_none(), "an object has one owner");
        tx.free(taken);
        // New objects don't take its place as long as someone may look.
        for key in 100..200 {
            tx.free(tx.persist(tx.alloc(node(key))?)?);
        }
        let left = old.left.get().expect("as it was");
        assert_eq!((old.key, left.key, old.word.get()), (1, 2, 1));
        Ok(())
    });
    assert!(region.root().full.is_null());
}

#[test]
fn a_rewritten_object_owns_nothing_any_more() {
    let region = allowed(|tx, root| {
        let old = tx.get(&root.full).expect("it is full");
        let copy = tx.rewrite(tx.take(&root.full).expect("it is full"))?;
        assert!(tx.take(&old.left).is_none(), "its links moved over");
        assert!(tx.get(&old.right).is_none());
        tx.publish(&root.full, tx.persist(copy)?);
        Ok(())
    });
    assert_eq!(contents(&region).0, [1, 1, 3, 3, 2, 2]);
}

#[test]
fn what_is_put_into_a_freed_object_is_freed_with_it() {
    let region = allowed(|tx, root| {
        let old = tx.get(&root.full).expect("it is full");
        tx.free(tx.take(&root.full));
        let left = tx.replace(&old.left, tx.persist(tx.alloc(node(9))?)?);
        tx.store(&old.word, 77);
        tx.publish(&root.empty, left); // saved at the last moment
        Ok(())
    });
    assert_eq!(contents(&region).0, [2, 2]);
    assert_eq!(region.usage().expect("valid").objects, 3, "the root, node 2 and the text");
}

#[test]
fn a_cycle_that_owns_itself_is_gone() {
    let mut region = region();
    region
        .transact(|tx, root| {
            let top = tx.take(&root.full).expect("it is full");
            let left = tx.take(&top.get().left).expect("node 2");
            let slot = &left.get().left;
            tx.publish(&top.get().left, left);
            tx.publish(slot, top);
            Ok(())
        })
        .expect("everything has an owner");
    assert_eq!(contents(&region).0, [] as [u64; 0]);
    // Its blocks return to the heap when the region is next opened, and until then are nobody's.
    let usage = region.usage().expect("valid");
    assert!(usage.objects == 2 && usage.unreached_bytes > 0, "{usage:?}");
    region
        .transact(|tx, root| {
            tx.publish(&root.full, tx.persist(tx.alloc(node(9))?)?);
            Ok(())
        })
        .expect("the region goes on");
    assert_eq!(contents(&region).0, [9, 9]);
}

// --- closures ----------------------------------------------------------------------------------------------

/// The closure of `attach` may use the transaction: with every verb, also on what is being attached.
#[test]
fn attachs_closure_may_use_the_transaction() {
    let region = allowed(|tx, root| {
        let mut parent = tx.alloc(node(4))?;
        let child = tx.flush(tx.alloc(node(5))?);
        tx.attach(
            &mut parent,
            |parent| {
                let mut other = tx.alloc(node(6)).expect("room");
                let grandchild = tx.flush(tx.alloc(node(7)).expect("room"));
                tx.attach(&mut other, |other| &other.right, grandchild);
                tx.free(tx.replace(&root.full, tx.persist(other).expect("no error")));
                tx.store(&root.count, tx.load(&root.count) + 1);
                tx.free(tx.take(&root.text));
                &parent.left
            },
            child,
        );
        tx.publish(&root.empty, tx.persist(parent)?);
        Ok(())
    });
    assert_eq!(contents(&region).0, [6, 6, 7, 7, 4, 4, 5, 5]);
    assert_eq!((region.root().count.get(), region.root().text.get()), (8, None));
}

/// The region grows, and takes other objects, while a slice is half made; slices are made inside of slices.
#[test]
fn a_slices_closure_may_make_the_region_grow() {
    let region = allowed(|tx, _| {
        let mut others = Vec::new();
        let outer = tx.alloc_slice_with(3, |i| {
            others.push(tx.stream_slice(&vec![i as u8; 1 << 20]));
            let inner = tx.alloc_slice_with(2, |j| (10 * i + j) as u64).expect("room");
            let sum: u64 = inner.iter().sum();
            tx.free(inner);
            sum
        })?;
        assert_eq!(*outer, [1, 21, 41]);
        tx.free(outer);
        for (i, other) in others.into_iter().enumerate() {
            let other = other?;
            assert!(other.iter().all(|byte| usize::from(*byte) == i));
            tx.free(other);
        }
        Ok(())
    });
    assert!(region.len() > 3 << 20);
}

#[test]
fn handles_that_a_slices_closure_leaks_are_orphans() {
    let count = orphans(|tx, _| {
        let slice = tx.alloc_slice_with(3, |i| {
            let leaked: &Pm<_, Dirty> = Box::leak(Box::new(tx.alloc(node(i as u64)).expect("room")));
            leaked.key
        })?;
        tx.free(slice);
        Ok(())
    });
    assert_eq!(count, 3);
}

// --- threads -----------------------------------------------------------------------------------------------

/// A `Dirty` parent may change on another thread, with its `Flushed` child: it can't be flushed there, and must
/// come back.
#[test]
fn a_dirty_parent_with_a_flushed_child_comes_back_from_another_thread() {
    let region = allowed(|tx, root| {
        let mut parent = tx.alloc(node(4))?;
        let child = tx.flush(tx.alloc(node(5))?);
        tx.attach(&mut parent, |parent| &parent.left, child);
        let parent = thread::scope(|scope| {
            let other = scope.spawn(move || {
                let mut parent = parent;
                assert_eq!(parent.left.get().map(|child| child.key), Some(5));
                *parent.fields().key = 6;
                parent
            });
            other.join().expect("no panic")
        });
        tx.publish(&root.empty, tx.persist(parent)?);
        Ok(())
    });
    assert_eq!(contents(&region).0, [1, 1, 3, 3, 2, 2, 6, 4, 5, 5]);
}

#[test]
fn a_handle_that_stays_on_another_thread_is_an_orphan() {
    let count = orphans(|tx, _| {
        let parent = tx.alloc(node(4))?;
        let persisted = tx.persist(tx.alloc(node(5))?)?;
        thread::scope(|scope| {
            scope.spawn(move || drop((parent, persisted)));
        });
        Ok(())
    });
    assert_eq!(count, 2);
}

// --- regions -----------------------------------------------------------------------------------------------

/// The regions change places under the eyes of nobody: a transaction holds the one that it runs on.
#[test]
fn regions_that_are_swapped_keep_what_they_hold() {
    let (mut one, mut two) = (region(), region());
    one.transact(|tx, root| {
        tx.store(&root.count, 1);
        Ok(())
    })
    .expect("no rule is broken");
    let mut third = region();
    third
        .transact(|tx, root| {
            std::mem::swap(&mut one, &mut two);
            tx.store(&root.count, two.root().count.get() + 1);
            two.transact(|tx, root| {
                tx.store(&root.count, 5);
                Ok(())
            })
        })
        .expect("no rule is broken");
    let counts = [&one, &two, &third].map(|region| region.root().count.get());
    assert_eq!(counts, [7, 5, 2]);
}

/// The inner transaction's region is closed and its memory unmapped inside the outer one.
#[test]
fn a_region_may_be_opened_and_dropped_inside_a_transaction_of_another() {
    let mut outer = region();
    outer
        .transact(|tx, root| {
            let mut inner = region();
            let taken = inner.transact(|tx, root| {
                tx.store(&root.count, 3);
                Ok(tx.load(&root.count))
            })?;
            drop(inner);
            tx.store(&root.count, taken);
            Ok(())
        })
        .expect("no rule is broken");
    assert_eq!(outer.root().count.get(), 3);
}

/// A panic with the region's lock in hand, then a transaction: `catch_unwind` around the whole of it.
#[test]
fn a_transaction_inside_a_caught_panic_is_whole_or_nothing() {
    let mut region = region();
    let caught = panics(|| {
        let committed = region.transact(|tx, root| {
            tx.store(&root.count, 1);
            Ok(())
        });
        assert!(committed.is_ok());
        region.transact(|tx, root| -> Result<()> {
            tx.store(&root.count, 2);
            panic!("the application's own")
        })
    });
    assert_eq!(caught.0, "the application's own");
    assert_eq!(region.root().count.get(), 1);
    assert!(catch_unwind(AssertUnwindSafe(|| contents(&region))).is_ok());
}

// --- sizes -------------------------------------------------------------------------------------------------

#[derive(Persistent)]
#[repr(C)]
struct Nothing {}

#[derive(Persistent)]
#[repr(C)]
struct Flags {
    one: Link<Nothing>,
    two: Link<Nothing>,
    three: Link<()>,
}

/// Every object owns at least 8 bytes, so that a link to nothing is not null.
#[test]
fn a_zero_sized_child_is_an_object() {
    let root = Flags { one: Link::null(), two: Link::null(), three: Link::null() };
    let mut region = Region::new(1 << 20, root).expect("memory");
    region
        .transact(|tx, root| {
            let (one, two) = tx.persist((tx.alloc(Nothing {})?, tx.alloc(Nothing {})?))?;
            tx.publish(&root.one, one);
            tx.publish(&root.two, two);
            let mut parent = tx.alloc(Flags { one: Link::null(), two: Link::null(), three: Link::null() })?;
            let child = tx.flush(tx.alloc(())?);
            tx.attach(&mut parent, |parent| &parent.three, child);
            tx.publish(&root.three, tx.persist(tx.alloc(())?)?);
            tx.free(parent);
            Ok(())
        })
        .expect("no rule is broken");
    let root = region.root();
    let (one, two) = (root.one.get().expect("published"), root.two.get().expect("published"));
    assert!(!ptr::eq(one, two), "two objects, two places");
    region
        .transact(|tx, root| {
            let taken = tx.take(&root.one).expect("it is full");
            let copy = tx.rewrite(taken)?;
            tx.free(tx.replace(&root.two, tx.persist(copy)?));
            Ok(())
        })
        .expect("no rule is broken");
    assert!(region.root().one.is_null() && !region.root().two.is_null());
    assert_eq!(region.usage().expect("valid").unreached_bytes, 0);
}

#[derive(Persistent)]
#[repr(C, align(4096))]
struct Page {
    bytes: [u8; 4088],
    next: Link<Page>,
}

#[derive(Persistent)]
#[repr(C, align(64))]
struct Line {
    key: u64,
    rest: [u64; 7],
}

#[derive(Persistent)]
#[repr(C)]
struct Aligned {
    page: Link<Page>,
    lines: Link<[Line]>,
}

#[test]
fn an_over_aligned_object_lies_where_its_type_demands() {
    let page = |byte| Page { bytes: [byte; 4088], next: Link::null() };
    let mut region =
        Region::new(1 << 20, Aligned { page: Link::null(), lines: Link::null() }).expect("memory");
    let mut places = HashSet::new();
    for round in 0..5_u8 {
        region
            .transact(|tx, root| {
                let mut new = tx.alloc(page(round))?;
                assert_eq!(ptr::from_ref(&*new).addr() % 4096, 0);
                tx.attach(&mut new, |new| &new.next, tx.take(&root.page));
                tx.publish(&root.page, tx.persist(new)?);
                let lines = tx.alloc_slice_with(3, |i| Line { key: i as u64, rest: [1; 7] })?;
                assert_eq!(ptr::from_ref(&lines[0]).addr() % 64, 0);
                tx.free(tx.replace(&root.lines, tx.persist(lines)?));
                Ok(())
            })
            .expect("no rule is broken");
    }
    let mut at = &region.root().page;
    while let Some(page) = at.get() {
        assert!(places.insert(ptr::from_ref(page).addr()) && ptr::from_ref(page).addr() % 4096 == 0);
        at = &page.next;
    }
    assert_eq!((places.len(), region.usage().expect("valid").unreached_bytes), (5, 0));
    assert_eq!(region.root().lines.get().map(|lines| lines[2].key), Some(2));
}

// --- fences ------------------------------------------------------------------------------------------------

/// `Taken` is publishable without a fence, also where its object was staged in this transaction and never
/// fenced: the commit's record vouches for it all the same.
#[test]
fn a_staged_object_that_is_taken_and_published_is_durable_with_its_link() {
    let fences = |detour: bool| {
        let root = Flags { one: Link::null(), two: Link::null(), three: Link::null() };
        let mut region = power::region(1 << 20, root).expect("memory");
        let (fences, _) = cost(&mut region, |tx, root| {
            tx.stage(&root.one, tx.flush(tx.alloc(Nothing {})?));
            if detour {
                tx.publish(&root.two, tx.take(&root.one));
            }
            Ok(())
        });
        assert!(region.root().two.is_null() != detour);
        fences
    };
    assert_eq!(fences(true), fences(false));
    assert_eq!(fences(true), 1, "for the object and its link");
}
