//! Threads.

use super::*;

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
