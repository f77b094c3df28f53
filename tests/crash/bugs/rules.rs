//! Mistakes that the compiler refuses, as far as they can still be tried at run time: what a leaked handle, a
//! missing fence, an abort or an early acknowledgement comes to. The rest of these rows is in `ui-tests/`.

use crate::support::*;
use indelible::power::{Explorer, History, Log, Mutant, Recorder};
use indelible::{Error, Link, Persistent, Region, Result, Word};

#[derive(Persistent)]
#[repr(C)]
struct Item {
    words: [u64; 4],
    tag: Word<u64>,
}

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    item: Link<Item>,
    bytes: Link<[u8]>,
    pair: [Word<u64>; 2],
}

type Made = Region<Root, Recorder>;

fn item(n: u64) -> Item {
    Item { words: [n; 4], tag: Word::new(n) }
}

/// An explorer of a workload whose steps are numbered from 1; the check is told how many were acknowledged.
fn explorer(
    steps: u64,
    step: impl Fn(&mut Made, u64, &Log<u64>) -> Result<()> + Send + Sync + 'static,
    check: impl Fn(&Root, u64) + Send + Sync + 'static,
) -> Explorer<Root, u64> {
    let workload = move |region: &mut Made, log: &Log<u64>| {
        for n in 1..=steps {
            log.begin(n);
            step(region, n, log)?;
            log.acknowledge();
        }
        Ok(())
    };
    Explorer::new(Root::default, workload, move |root, history: &History<u64>| {
        check(root, history.acknowledged().len() as u64);
    })
}

/// Rows 6 and 15. An object is filled in, and forgotten before its flush: the commit says so, and changes
/// nothing.
mod bugs_06_and_15 {
    use super::*;

    #[test]
    fn an_object_that_was_never_flushed_stops_the_commit() {
        let explorer = explorer(
            2,
            |region, n, _| {
                let forgotten = region.transact(|tx, root| {
                    tx.store(&root.pair[0], n);
                    let mut made = tx.alloc(item(n))?;
                    made.words[3] = 99;
                    Box::leak(Box::new(made));
                    Ok(())
                });
                assert!(matches!(forgotten, Err(Error::Orphaned { handles: 1, .. })), "{forgotten:?}");
                Ok(())
            },
            |root, _| assert_eq!(root.pair[0].get(), 0, "something was committed"),
        );
        passes(explorer);
    }
}

/// Row 9. There is no allocation metadata that could be lost: what the root does not reach is free.
mod bug_09 {
    use super::*;

    #[test]
    fn no_crash_leaks_a_block_or_gives_one_away_twice() {
        let put = |region: &mut Made, n| {
            region.transact(|tx, root| {
                let old = tx.replace(&root.item, tx.persist(tx.alloc(item(n))?)?);
                tx.free(old);
                Ok(())
            })
        };
        let check = |root: &Root, acknowledged| {
            let item = root.item.get();
            assert!(item.is_none_or(|item| item.words == [item.tag.get(); 4]), "a block was used twice");
            assert!(item.map_or(0, |item| item.tag.get()) >= acknowledged, "an item is missing");
        };
        passes(explorer(3, move |region, n, _| put(region, n), check).then(move |region, _| {
            assert_eq!(region.usage()?.unreached_bytes, 0, "a block leaked");
            put(region, 9)?;
            assert_eq!(region.usage()?.unreached_bytes, 0, "a block leaked");
            Ok(())
        }));
    }
}

/// Row 12. No fence between an object's flush and the store that publishes it: the commit makes one.
mod bug_12 {
    use super::*;

    #[test]
    fn the_commit_fences_what_was_staged() {
        let explorer = || {
            let step = |region: &mut Made, n, _: &_| {
                region.transact(|tx, root| {
                    tx.free(tx.take(&root.item));
                    tx.stage(&root.item, tx.flush(tx.alloc(item(n))?));
                    Ok(())
                })
            };
            explorer(2, step, |root, acknowledged| {
                assert!(root.item.get().map_or(0, |item| item.words[3]) >= acknowledged);
            })
        };
        passes(explorer());
        let mutants = explorer().progress(false).mutants();
        println!("{mutants}");
        let covering = |site: &str| site.starts_with("src/tx/engine.rs");
        assert!(mutants.noticed().any(|mutant| covering(mutant.site())), "that fence is missed: {mutants}");
    }
}

/// Row 14. A field that is changed without being logged keeps its value when the transaction aborts. Here
/// every change waits for the commit.
mod bug_14 {
    use super::*;

    #[test]
    fn an_abort_leaves_nothing_changed() {
        let explorer = explorer(
            2,
            |region, n, _| {
                let aborted = region.transact(|tx, root| {
                    tx.store(&root.pair[0], 77);
                    tx.publish(&root.item, tx.persist(tx.alloc(item(77))?)?);
                    Err::<(), _>(Error::other("on second thoughts"))
                });
                assert!(aborted.is_err());
                region.transact(|tx, root| {
                    tx.store(&root.pair[0], n);
                    tx.store(&root.pair[1], n);
                    Ok(())
                })
            },
            |root, acknowledged| {
                let [a, b] = root.pair.each_ref().map(Word::get);
                assert_eq!(a, b, "a pair was changed in part");
                assert!((acknowledged..=2).contains(&a) && root.item.is_null(), "an abort left something");
            },
        );
        passes(explorer);
    }
}

/// Row 16. There is no recovery that a program could forget to call: opening is recovery.
mod bug_16 {
    use super::*;

    #[test]
    fn a_program_that_only_opens_the_region_has_recovered_it() {
        let both = |region: &mut Made, n| {
            region.transact(|tx, root| {
                tx.store(&root.pair[0], n);
                tx.store(&root.pair[1], n);
                Ok(())
            })
        };
        let check = |root: &Root, acknowledged| {
            let [a, b] = root.pair.each_ref().map(Word::get);
            assert_eq!(a, b, "a record was not replayed");
            assert!(a >= acknowledged);
        };
        passes(
            explorer(2, move |region, n, _| both(region, n), check).then(move |region, _| both(region, 9)),
        );
    }
}

/// Row 17. An item is linked, and then changed. Here what is linked can't be: `rewrite` makes a copy.
mod bug_17 {
    use super::*;

    #[test]
    fn a_linked_item_is_changed_in_a_copy() {
        let step = |region: &mut Made, n, _: &_| {
            region.transact(|tx, root| {
                let mut made = match tx.take(&root.item) {
                    Some(linked) => tx.rewrite(linked)?,
                    None => tx.alloc(item(n))?,
                };
                made.words = [n; 4];
                made.tag.set(n);
                tx.publish(&root.item, tx.persist(made)?);
                Ok(())
            })
        };
        passes(explorer(3, step, |root, acknowledged| {
            let found = root.item.get().map_or((0, [0; 4]), |item| (item.tag.get(), item.words));
            assert_eq!(found.1, [found.0; 4], "an item was changed in part");
            assert!(found.0 >= acknowledged, "a change is missing");
        }));
    }
}

/// Row 18. A store larger than 8 bytes is torn. Here a larger value is an object, replaced as a whole.
mod bug_18 {
    use super::*;

    #[test]
    fn a_value_of_32_bytes_is_not_torn() {
        let step = |region: &mut Made, n, _: &_| {
            region.transact(|tx, root| {
                let old = tx.replace(&root.item, tx.persist(tx.alloc(item(n))?)?);
                tx.free(old);
                Ok(())
            })
        };
        passes(explorer(3, step, |root, acknowledged| {
            let words = root.item.get().map_or([0; 4], |item| item.words);
            assert!(words == [words[0]; 4] && words[0] >= acknowledged, "torn: {words:?}");
        }));
    }
}

/// Rows 4, 10, 13, 20 and 24. Flushes of the wrong lines, or of too few: of objects of every length around a
/// line's, by `flush` and by streaming. None is missing, and none can be left out.
mod bugs_04_10_13_20_and_24 {
    use super::*;

    const LENGTHS: [usize; 14] = [0, 1, 8, 31, 47, 48, 49, 63, 64, 65, 111, 112, 113, 200];

    fn whole(streamed: bool) {
        let bytes: Vec<u8> = (1..=200).collect();
        for len in LENGTHS {
            let made = bytes[..len].to_vec();
            let found = made.clone();
            let step = move |region: &mut Made, _, _: &_| {
                region.transact(|tx, root| {
                    // A neighbour, so that slices begin at different places in a line.
                    let one = tx.flush(tx.alloc(item(1))?);
                    match streamed {
                        true => tx.stage(&root.bytes, tx.stream_slice(&made)?),
                        false => tx.stage(&root.bytes, tx.flush(tx.alloc_slice(&made)?)),
                    }
                    tx.stage(&root.item, one);
                    Ok(())
                })
            };
            let check = move |root: &Root, acknowledged| match root.bytes.get() {
                Some(bytes) => assert_eq!(bytes, found, "a slice is there in part"),
                None => assert_eq!(acknowledged, 0, "a slice is missing"),
            };
            let explorer = explorer(1, step, check).kills(false);
            let mutants = explorer.mutants();
            let redundant: Vec<&str> = mutants.redundant().map(Mutant::what).collect();
            assert!(redundant.is_empty(), "{len} bytes: {redundant:?}");
            passes(explorer);
        }
    }

    #[test]
    fn every_line_of_an_object_is_flushed() {
        whole(false);
    }

    #[test]
    fn every_line_of_what_is_streamed_is_flushed() {
        whole(true);
    }
}

/// Row 23. A call returns before its fence: what was acknowledged is lost. `transact` returns after it, and a
/// program that acknowledges earlier is found.
mod bug_23 {
    use super::*;

    fn check(root: &Root, acknowledged: u64) {
        assert!(root.pair[0].get() >= acknowledged, "an acknowledged change is lost");
    }

    #[test]
    fn an_acknowledgement_before_the_commit_is_found() {
        let step = |region: &mut Made, n, log: &Log<u64>| {
            region.transact(|tx, root| {
                tx.store(&root.pair[0], n);
                // bug 23: not durable before `transact` returns
                log.acknowledge();
                Ok(())
            })
        };
        let place = place(source!("rules.rs"), "bug 23: not durable before `transact` returns");
        is_found(explorer(2, step, check), "an acknowledged change is lost", &place);
    }

    #[test]
    fn an_acknowledgement_after_the_commit_passes() {
        let step = |region: &mut Made, n, log: &Log<u64>| {
            region.transact(|tx, root| {
                tx.store(&root.pair[0], n);
                Ok(())
            })?;
            log.acknowledge();
            Ok(())
        };
        passes(explorer(2, step, check));
    }
}
