//! Attempts to break the crate from safe code, each with the rule that stops it.
//!
//! None of them contains `unsafe` beyond opening a file. What the compiler rejects is under
//! `ui-tests/cases/bypass`.

use indelible::medium::{Emulated, Medium, MemoryFileSystem, PageCache};
use indelible::state::{Dirty, Flushed, Persisted};
use indelible::{Error, Link, Options, Persistent, Pm, Region, Result, Taken, Tx, Word};
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

/// Its first field is a link: the object and the link have one address.
#[derive(Persistent)]
#[repr(C)]
struct Node {
    left: Link<Node>,
    right: Link<Node>,
    key: u64,
    word: Word<u64>,
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    slots: [Link<Node>; 4],
    count: Word<u64>,
}

fn node(key: u64) -> Node {
    Node { left: Link::null(), right: Link::null(), key, word: Word::new(key) }
}

fn root() -> Root {
    Root { slots: [const { Link::null() }; 4], count: Word::new(0) }
}

/// Slot 0 leads to node 1, whose left is node 2 and whose right is node 3.
fn region() -> Region<Root, Emulated> {
    let mut region = Region::new(1 << 20, root()).expect("memory");
    region
        .transact(|tx, root| {
            let (left, right) = tx.flush((tx.alloc(node(2))?, tx.alloc(node(3))?));
            let mut top = tx.alloc(node(1))?;
            tx.attach(&mut top, |top| &top.left, left);
            tx.attach(&mut top, |top| &top.right, right);
            tx.publish(&root.slots[0], tx.persist(top)?);
            Ok(())
        })
        .expect("room");
    region
}

/// Every node that is reached, depth first: its slot's number, its depth, its key and its word.
fn contents(root: &Root) -> Vec<[u64; 4]> {
    let mut found = Vec::new();
    let mut reached = HashSet::new();
    let mut next: Vec<(u64, u64, &Link<Node>)> =
        root.slots.iter().enumerate().map(|(slot, link)| (slot as u64, 0, link)).collect();
    while let Some((slot, depth, link)) = next.pop() {
        let Some(node) = link.get() else { continue };
        assert!(reached.insert(std::ptr::from_ref(node).addr()), "two owners of one object");
        found.push([slot, depth, node.key, node.word.get()]);
        next.push((slot, depth + 1, &node.left));
        next.push((slot, depth + 1, &node.right));
    }
    found
}

fn keys(region: &Region<Root, impl Medium>) -> Vec<u64> {
    let mut keys: Vec<u64> = contents(region.root()).iter().map(|found| found[2]).collect();
    keys.sort_unstable();
    keys
}

/// Nothing was changed by what happened, nothing leaked, and the region goes on.
#[track_caller]
fn untouched(region: &mut Region<Root, Emulated>) {
    assert_eq!(keys(region), [1, 2, 3]);
    assert_eq!(region.usage().expect("valid").unreached_bytes, 0);
    region
        .transact(|tx, root| {
            let mut new = tx.alloc(node(9))?;
            tx.attach(&mut new, |new| &new.left, tx.take(&root.slots[0]));
            tx.publish(&root.slots[3], tx.persist(new)?);
            Ok(())
        })
        .expect("the region goes on");
    assert_eq!(keys(region), [1, 2, 3, 9]);
    assert_eq!(region.usage().expect("valid").unreached_bytes, 0);
}

fn empty(region: &mut Region<Root, Emulated>) {
    let freed = region.transact(|tx, root| {
        tx.free(tx.take(&root.slots[0]));
        Ok(())
    });
    freed.expect("no rule is broken");
}

/// As `catch_unwind`, without the message on the terminal.
fn panics<X>(f: impl FnOnce() -> X) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).err().expect("it panics");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast::<&str>().map_or_else(|_| String::new(), |text| text.to_string()),
    }
}

fn orphans(result: Result<()>) -> usize {
    match result {
        Err(Error::Orphaned { handles }) => handles,
        other => panic!("{other:?}"),
    }
}

// --- Handles that are leaked, to get at an object that is still `Dirty` ---------------------------------

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

// --- References that outlive the owner of what they refer to, within their transaction --------------------

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

// --- Closures -------------------------------------------------------------------------------------------

#[test]
fn a_panic_while_a_slice_is_filled_leaves_an_orphan() {
    let mut region = region();
    let result = region.transact(|tx, _| {
        panics(|| {
            tx.alloc_slice_with(100, |index| match index {
                50 => resume_unwind(Box::new("mine")),
                _ => node(index as u64),
            })
        });
        Ok(())
    });
    assert_eq!(orphans(result), 1);
    untouched(&mut region);
}

#[test]
fn the_closure_that_fills_a_slice_may_use_the_transaction() {
    let mut region = region();
    region
        .transact(|tx, root| {
            let nodes = tx.alloc_slice_with(20, |index| {
                tx.free(tx.alloc_slice_with(index, |_| index as u64).expect("room"));
                tx.free(
                    tx.rewrite(tx.take(&root.slots[0]).expect("full"))
                        .map(|copy| {
                            let copy = tx.persist(copy).expect("no error");
                            tx.publish(&root.slots[0], copy);
                            None::<Taken<'_, Node>>
                        })
                        .expect("room"),
                );
                node(index as u64)
            })?;
            assert!(nodes.iter().enumerate().all(|(index, node)| node.key == index as u64));
            tx.free(nodes);
            Ok(())
        })
        .expect("everything has an owner");
    untouched(&mut region);
}

#[test]
fn a_panic_while_a_link_is_chosen_leaves_both_objects_orphans() {
    let mut region = region();
    let result = region.transact(|tx, _| {
        let mut parent = tx.alloc(node(4))?;
        let child = tx.flush(tx.alloc(node(5))?);
        panics(|| tx.attach(&mut parent, |_| resume_unwind(Box::new("mine")), child));
        Ok(())
    });
    assert_eq!(orphans(result), 2);
    untouched(&mut region);
}

#[test]
fn the_closure_that_chooses_a_link_can_not_choose_one_elsewhere() {
    static NOWHERE: Link<u64> = Link::null();
    let leaked: &'static Node = Box::leak(Box::new(node(0)));
    for choice in 0..2 {
        let mut region = region();
        let message = panics(|| {
            region.transact(|tx, root| {
                let mut parent = tx.alloc(node(4))?;
                match choice {
                    0 => tx.attach(&mut parent, |_| &NOWHERE, tx.flush(tx.alloc(7_u64)?)),
                    _ => tx.attach(&mut parent, |_| &leaked.left, tx.take(&root.slots[0])),
                }
                Ok(())
            })
        });
        assert!(message.contains("not inside the parent"), "{message}");
        untouched(&mut region);
    }
}

/// What a closure answers is dropped when the commit fails, after the transaction.
#[test]
fn an_answer_whose_drop_panics_does_not_disturb_the_region() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new("bomb"));
        }
    }
    let mut region = region();
    panics(|| {
        region.transact(|tx, root| {
            let _orphan = tx.take(&root.slots[0]);
            Ok(Bomb)
        })
    });
    untouched(&mut region);
}

#[test]
fn a_region_in_a_lock_survives_the_lock() {
    let lock = Mutex::new(region());
    panics(|| {
        lock.lock().expect("not yet").transact(|tx, root| {
            tx.free(tx.take(&root.slots[0]));
            resume_unwind(Box::new("mine"));
            #[expect(unreachable_code, reason = "the type of the answer")]
            Ok(())
        })
    });
    untouched(&mut lock.into_inner().unwrap_or_else(PoisonError::into_inner));
}

#[test]
fn a_panic_while_the_root_is_made_leaves_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("region");
    let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
    let make = || -> Root { resume_unwind(Box::new("mine")) };
    // SAFETY: nothing else knows of the file.
    panics(|| unsafe { options.open_or_create::<Root, PageCache>(&path, 1 << 20, make) });
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

// --- Two regions ----------------------------------------------------------------------------------------

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
            let message = panics(|| {
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

// --- Threads --------------------------------------------------------------------------------------------

/// While the handle is `Dirty`, another thread may write through it: reading the object would be a race.
#[test]
fn the_recorder_reads_an_object_only_when_its_handle_is_given_back() {
    use indelible::power::{EventKind, region};
    let mut region = region(1 << 20, root()).expect("memory");
    let (early, late) = (0x1111_2222_3333_4444, 0x5555_6666_7777_0000);
    region
        .transact(|tx, root| {
            let mut open = tx.alloc(node(early))?;
            let other = tx.alloc(node(1))?;
            let other = tx.persist(other)?; // a flush and a fence, while `open` is written
            *open.fields().key = late;
            let open = tx.persist(open)?;
            tx.publish(&root.slots[0], open);
            tx.publish(&root.slots[1], other);
            Ok(())
        })
        .expect("it commits");
    let trace = region.medium().trace();
    let stored = |sought: u64| {
        trace
            .events()
            .iter()
            .any(|event| matches!(event.kind, EventKind::Store { value, .. } if value == sought))
    };
    assert!(stored(late), "what was flushed was found");
    // `node` gives it to the key and to a word, and the word keeps it.
    let early = trace
        .events()
        .iter()
        .filter(|event| matches!(event.kind, EventKind::Store { value, .. } if value == early))
        .count();
    assert_eq!(early, 1, "the key was read before its handle was given back");
}

#[test]
fn dirty_objects_are_filled_by_other_threads_and_read_by_many() {
    let mut region = region();
    region
        .transact(|tx, root| {
            let mut parts: Vec<Pm<'_, [u64], Dirty>> =
                (0..4).map(|_| tx.alloc_slice_with(1000, |_| 0)).collect::<Result<_>>()?;
            let top = tx.get(&root.slots[0]).expect("full");
            std::thread::scope(|scope| {
                for (index, part) in parts.iter_mut().enumerate() {
                    scope.spawn(move || part.iter_mut().for_each(|number| *number = index as u64 + top.key));
                }
            });
            let parts = tx.flush(parts);
            std::thread::scope(|scope| {
                for (index, part) in parts.iter().enumerate() {
                    let part: &[u64] = part;
                    scope.spawn(move || assert!(part.iter().all(|number| *number == index as u64 + 1)));
                }
                // Meanwhile the transaction goes on.
                tx.store(&root.count, 1);
                tx.free(tx.alloc(node(4)).and_then(|new| tx.persist(new)).ok());
            });
            tx.free(parts);
            Ok(())
        })
        .expect("everything has an owner");
    untouched(&mut region);
}

// --- Sizes and layouts ----------------------------------------------------------------------------------

#[derive(Persistent, Clone, Copy, PartialEq, Debug)]
#[repr(C, align(4096))]
struct Nothing {}

#[derive(Persistent, Clone, Copy, PartialEq, Debug)]
#[repr(C, align(64))]
struct Line([u64; 8]);

#[derive(Persistent, Clone, Copy, PartialEq, Debug)]
#[repr(C, align(2048))]
struct Half([u128; 128]);

#[derive(Persistent, Clone, Copy, PartialEq, Debug)]
#[repr(C, align(4096))]
struct Whole([u8; 4096]);

type NoLinks = [Link<Node>; 0];

#[derive(Persistent)]
#[repr(C, align(4096))]
struct Odd {
    nothing: Link<Nothing>,
    unit: Link<()>,
    none: Link<NoLinks>,
    line: Link<[Line]>,
    half: Link<Half>,
    whole: Link<[Whole]>,
    empty: Link<[Whole]>,
    text: Link<str>,
    three: Word<[u8; 3]>,
    void: Word<()>,
    pad: [u64; 502],
}

fn odd() -> Odd {
    Odd {
        nothing: Link::null(),
        unit: Link::null(),
        none: Link::null(),
        line: Link::null(),
        half: Link::null(),
        whole: Link::null(),
        empty: Link::null(),
        text: Link::null(),
        three: Word::new([1, 2, 3]),
        void: Word::new(()),
        pad: [7; 502],
    }
}

fn aligned<T>(at: Option<&T>) -> bool {
    at.is_some_and(|at| std::ptr::from_ref(at).is_aligned())
}

#[test]
fn objects_without_size_and_of_great_alignment_are_placed_and_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("region");
    let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
    // SAFETY: nothing else knows of the file.
    let mut region = unsafe { options.create::<Odd, PageCache>(&path, 1 << 20, odd()) }.expect("room");
    for round in 0..6_u64 {
        region
            .transact(|tx, root| {
                tx.free(tx.replace(&root.nothing, tx.persist(tx.alloc(Nothing {})?)?));
                tx.free(tx.replace(&root.unit, tx.persist(tx.alloc(())?)?));
                let none: NoLinks = [];
                tx.free(tx.replace(&root.none, tx.persist(tx.alloc(none)?)?));
                let lines: Vec<Line> = (0..round * 3).map(|n| Line([n; 8])).collect();
                let lines = tx.fence(tx.stream_slice(&lines)?)?;
                tx.free(tx.replace(&root.line, lines));
                tx.free(tx.replace(&root.half, tx.persist(tx.alloc(Half([round.into(); 128]))?)?));
                let whole = tx.alloc_slice_with(round as usize, |n| Whole([n as u8; 4096]))?;
                tx.free(tx.replace(&root.whole, tx.persist(whole)?));
                tx.free(tx.replace(&root.empty, tx.persist(tx.alloc_slice::<Whole>(&[])?)?));
                tx.free(tx.replace(&root.text, tx.persist(tx.alloc_str("")?)?));
                tx.store(&root.three, [round as u8; 3]);
                tx.store(&root.void, ());
                Ok(())
            })
            .expect("room");
        region
            .transact(|tx, root| {
                let unit = tx.rewrite(tx.take(&root.unit).expect("full"))?;
                tx.publish(&root.unit, tx.persist(unit)?);
                let nothing = tx.rewrite(tx.take(&root.nothing).expect("full"))?;
                tx.publish(&root.nothing, tx.persist(nothing)?);
                let whole = tx.rewrite(tx.take(&root.whole).expect("full"))?;
                tx.publish(&root.whole, tx.persist(whole)?);
                let empty = tx.rewrite(tx.take(&root.empty).expect("full"))?;
                tx.publish(&root.empty, tx.persist(empty)?);
                Ok(())
            })
            .expect("room");
        let usage = region.usage().expect("valid");
        assert_eq!((usage.objects, usage.unreached_bytes), (9, 0));
        region.close().expect("closed");
        // SAFETY: as above.
        region = unsafe { options.open::<Odd, PageCache>(&path) }.expect("as it was left");
        let root = region.root();
        assert!(aligned(Some(root)) && aligned(root.nothing.get()) && aligned(root.half.get()));
        let (lines, whole) = (root.line.get().expect("full"), root.whole.get().expect("full"));
        assert!(lines.as_ptr().is_aligned() && lines.len() as u64 == round * 3);
        assert!(lines.iter().enumerate().all(|(n, line)| *line == Line([n as u64; 8])));
        assert!(whole.as_ptr().is_aligned() && whole.len() as u64 == round);
        assert!(whole.iter().enumerate().all(|(n, whole)| *whole == Whole([n as u8; 4096])));
        assert_eq!(root.half.get(), Some(&Half([round.into(); 128])));
        assert_eq!((root.three.get(), root.text.get(), root.pad), ([round as u8; 3], Some(""), [7; 502]));
        assert_eq!(root.empty.get().map(<[Whole]>::len), Some(0));
    }
}

#[test]
fn counts_that_no_memory_has_are_refused() {
    let mut region = region();
    region
        .transact(|tx, _| {
            for len in [usize::MAX, usize::MAX / 8, usize::MAX / 8 + 1, 1 << 61, 1 << 48, 1 << 45, 1 << 37] {
                let refused = tx.alloc_slice_with(len, |_| -> u64 { panic!("asked for an element") });
                assert!(matches!(refused, Err(Error::BadLength { .. } | Error::HeapFull { .. })), "{len}");
                let refused = tx.alloc_slice_with(len, |_| -> [Whole; 3] { panic!("asked for an element") });
                assert!(matches!(refused, Err(Error::BadLength { .. } | Error::HeapFull { .. })), "{len}");
            }
            Ok(())
        })
        .expect("nothing was made");
    untouched(&mut region);
    for len in [u64::MAX, u64::MAX - 4095, 1 << 40, 0, 1] {
        assert!(matches!(
            Region::new(len, ()),
            Err(Error::TooLarge { .. } | Error::TooSmall { .. } | Error::AddressSpace { .. })
        ));
    }
}

/// A list of half a million nodes is walked and freed without recursion.
#[test]
fn a_long_list_is_freed_without_the_stack() {
    let mut region = Region::new(1 << 20, root()).expect("memory");
    region
        .transact(|tx, root| {
            for key in 0..500_000 {
                let mut new = tx.alloc(node(key))?;
                tx.attach(&mut new, |new| &new.left, tx.take(&root.slots[0]));
                tx.stage(&root.slots[0], tx.flush(new));
            }
            Ok(())
        })
        .expect("room");
    assert_eq!(region.usage().expect("valid").objects, 500_001);
    empty(&mut region);
    let usage = region.usage().expect("valid");
    assert_eq!((usage.objects, usage.unreached_bytes), (1, 0));
}

// --- Chaos ----------------------------------------------------------------------------------------------

/// Xorshift: the same program for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

enum Held<'t> {
    Dirty(Pm<'t, Node, Dirty>),
    Flushed(Pm<'t, Node, Flushed>),
    Persisted(Pm<'t, Node, Persisted>),
    Taken(Taken<'t, Node>),
}

/// Random verbs through every slot that was ever seen: of objects that were taken, freed, rewritten, or lie in
/// circles meanwhile.
fn chaos<'t, M: Medium>(tx: &Tx<'t, M>, root: &'t Root, random: &mut Random, steps: usize) -> Result<()> {
    let mut seen: Vec<(&'t Node, u64)> = Vec::new();
    let mut held: Vec<Held<'t>> = Vec::new();
    for _ in 0..steps {
        let link = match random.below(seen.len() + 2) {
            index if index < seen.len() => {
                let node = seen[index].0;
                if random.below(2) == 0 { &node.left } else { &node.right }
            }
            _ => &root.slots[random.below(4)],
        };
        if let Some(node) = tx.get(link) {
            seen.push((node, node.key));
        }
        let any = (!held.is_empty()).then(|| random.below(held.len()));
        match random.below(10) {
            0 => held.push(Held::Dirty(tx.alloc(node(random.0 >> 8))?)),
            1 | 2 => {
                if let Some(taken) = tx.take(link) {
                    seen.push((taken.get(), taken.get().key));
                    held.push(Held::Taken(taken));
                }
            }
            3 => tx.store(&root.count, random.0),
            4 => {
                if let Some((node, _)) = seen.last() {
                    tx.store(&node.word, random.0);
                }
            }
            5 | 6 => match any.map(|index| held.swap_remove(index)) {
                Some(Held::Dirty(object)) => held.push(match random.below(2) {
                    0 => Held::Flushed(tx.flush(object)),
                    _ => Held::Persisted(tx.persist(object)?),
                }),
                Some(Held::Flushed(object)) if tx.get(link).is_none() => tx.stage(link, object),
                Some(Held::Persisted(object)) if tx.get(link).is_none() => tx.publish(link, object),
                Some(Held::Taken(object)) if tx.get(link).is_none() => tx.publish(link, object),
                Some(Held::Taken(object)) => held.push(Held::Dirty(tx.rewrite(object)?)),
                Some(Held::Flushed(object)) => held.push(Held::Persisted(tx.fence(object)?)),
                Some(other) => held.push(other),
                None => {}
            },
            7 => {
                let Some(index) = any else { continue };
                let child = held.swap_remove(index);
                let parent = held.iter_mut().find_map(|held| match held {
                    Held::Dirty(parent) => Some(parent),
                    _ => None,
                });
                match (parent, child) {
                    (Some(parent), Held::Taken(child)) if parent.right.is_null() => {
                        tx.attach(parent, |parent| &parent.right, child);
                    }
                    (Some(parent), Held::Flushed(child)) if parent.left.is_null() => {
                        tx.attach(parent, |parent| &parent.left, child);
                    }
                    (_, child) => held.push(child),
                }
            }
            8 => match any.map(|index| held.swap_remove(index)) {
                Some(Held::Dirty(object)) => tx.free(object),
                Some(Held::Flushed(object)) => tx.free(object),
                Some(Held::Persisted(object)) => tx.free(object),
                Some(Held::Taken(object)) => tx.free(object),
                None => {}
            },
            _ => {
                if let Some(Held::Dirty(object)) = any.map(|index| &mut held[index]) {
                    object.fields().word.set(random.0);
                }
            }
        }
    }
    // Nothing that was ever seen has become something else.
    assert!(seen.iter().all(|(node, key)| node.key == *key), "a block was reused under a reference");
    if random.below(8) == 0 {
        return Err(Error::other("mine"));
    }
    if random.below(8) != 0 {
        for held in held {
            match held {
                Held::Dirty(object) => tx.free(object),
                Held::Flushed(object) => tx.free(object),
                Held::Persisted(object) => tx.free(object),
                Held::Taken(object) => tx.free(object),
            }
        }
    }
    Ok(())
}

#[test]
fn chaos_leaves_a_valid_region_and_all_or_nothing() {
    for seed in 1..400_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut region = region();
        for _ in 0..20 {
            let (before, words) = (contents(region.root()), region.root().count.get());
            let steps = random.below(120);
            let result = region.transact(|tx, root| chaos(tx, root, &mut random, steps));
            let usage = region.usage().expect("valid");
            assert!(usage.objects >= 1);
            let after = contents(region.root());
            assert_eq!(after.len() as u64 + 1, usage.objects);
            if result.is_err() {
                assert_eq!((after, region.root().count.get()), (before, words), "seed {seed}");
            }
        }
    }
}

#[test]
fn chaos_in_a_file_is_there_again_after_reopening() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs).max_len(1 << 24);
    for seed in 1..12_u64 {
        let path = folder.path().join(seed.to_string());
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        // SAFETY: nothing else knows of the file.
        let mut region = unsafe { options.create::<Root, PageCache>(&path, 1 << 20, root()) }.expect("room");
        for _ in 0..10 {
            for _ in 0..4 {
                let steps = random.below(60);
                let _ = region.transact(|tx, root| chaos(tx, root, &mut random, steps));
            }
            let before = contents(region.root());
            region.close().expect("closed");
            // SAFETY: as above.
            region = unsafe { options.open::<Root, PageCache>(&path) }.expect("as it was left");
            assert_eq!(contents(region.root()), before);
            assert_eq!(region.usage().expect("valid").unreached_bytes, 0);
        }
    }
}

/// The same under the explorer: after a crash anywhere, the contents are those of one of the transactions.
#[test]
fn chaos_survives_power_failures() {
    for seed in 1..7_u64 {
        let start = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let program = move |region: &mut Region<Root, _>, random: &mut Random| {
            let steps = 8 + random.below(14);
            let _ = region.transact(|tx, root| chaos(tx, root, random, steps));
            (contents(region.root()), region.root().count.get())
        };
        // What each transaction makes of it, from a run beside it.
        let mut twin = indelible::power::region(1 << 16, root()).expect("memory");
        let mut random = Random(start);
        let mut states = vec![(contents(twin.root()), twin.root().count.get())];
        states.extend((0..5).map(|_| program(&mut twin, &mut random)));
        let by_number: HashMap<usize, _> = states.into_iter().enumerate().collect();
        let report = indelible::power::Explorer::new(
            root,
            move |region, log| {
                let mut random = Random(start);
                for number in 1..6_usize {
                    log.begin(number);
                    program(region, &mut random);
                    log.acknowledge();
                }
                Ok(())
            },
            move |root: &Root, history: &indelible::power::History<usize>| {
                let found = (contents(root), root.count.get());
                let last = history.acknowledged().last().copied().unwrap_or(0);
                let next = history.begun().last().copied().unwrap_or(0);
                assert!((last..=next).any(|number| by_number[&number] == found), "{found:?} after {last}");
            },
        )
        .threads(2)
        .max_images(20_000)
        .progress(false)
        .run();
        assert!(report.failure().is_none() && report.images() > 20, "seed {seed}: {report}");
    }
}
