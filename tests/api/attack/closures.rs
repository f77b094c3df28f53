//! Closures that panic, or call back.

use super::*;

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
        let (message, _) = panics(|| {
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
