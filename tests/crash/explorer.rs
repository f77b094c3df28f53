//! The explorers themselves, of regions and of mappings: their budgets hold, their reports say where, their seeds lead
//! back, and no case stands for another that differs.

use indelible::power::{EventKind, Explorer, History, Log, Recorder};
use indelible::{Link, Persistent, Region, Result, Word};
use std::time::{Duration, Instant};

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    a: Word<u64>,
    /// So that `a` and `b` are in different lines.
    apart: [u64; 8],
    b: Word<u64>,
    big: Link<[u64]>,
}

type Made = Region<Root, Recorder>;

fn store_a(region: &mut Made, n: u64) -> Result<()> {
    region.transact(|tx, root| {
        tx.store(&root.a, n);
        Ok(())
    })
}

fn store_b(region: &mut Made, n: u64) -> Result<()> {
    region.transact(|tx, root| {
        tx.store(&root.b, n);
        Ok(())
    })
}

fn store_both(region: &mut Made, n: u64) -> Result<()> {
    region.transact(|tx, root| {
        tx.store(&root.a, n);
        tx.store(&root.b, n);
        Ok(())
    })
}

fn in_step(root: &Root, _: &History<u64>) {
    assert_eq!(root.a.get(), root.b.get(), "out of step");
}

/// Many transactions with large objects: more than a small budget is enough for.
fn large() -> Explorer<Root, u64> {
    let workload = |region: &mut Made, log: &Log<u64>| {
        for n in 1..=30 {
            log.begin(n);
            region.transact(|tx, root| {
                tx.free(tx.replace(&root.big, tx.persist(tx.alloc_slice(&[n; 100])?)?));
                tx.store(&root.a, n);
                tx.store(&root.b, n);
                Ok(())
            })?;
            log.acknowledge();
        }
        Ok(())
    };
    Explorer::new(Root::default, workload, in_step).progress(false)
}

#[test]
fn the_budget_of_images_holds_and_the_report_says_what_was_left_out() {
    let all = large().run().assert();
    assert!(all.is_exhaustive() && all.images() > 1000, "{all}");
    let some = large().max_images(100).threads(1).run().assert();
    assert!(!some.is_exhaustive(), "{some}");
    assert!(some.images() < all.images(), "{some}");
    let text = some.to_string();
    assert!(text.contains("not exhaustive") && text.contains("left out"), "{text}");
    assert!(text.contains("sampled with seed 1"), "{text}");
}

#[test]
fn without_time_everything_is_left_out() {
    let report = large().max_time(Duration::ZERO).run().assert();
    assert!(!report.is_exhaustive(), "{report}");
    assert_eq!(report.images(), 0, "{report}");
}

/// A limit that is over as soon as one image was tried.
const MOMENT: Duration = Duration::from_millis(1);

/// Waits until this limit is over: the exploration began before the check.
fn outlast_the_limit() {
    let began = Instant::now();
    while began.elapsed() <= MOMENT {
        std::hint::spin_loop();
    }
}

#[test]
fn a_time_limit_ends_an_exploration_that_has_begun() {
    let workload = |region: &mut Made, _: &Log<u64>| (1..=3).try_for_each(|n| store_both(region, n));
    let explorer = Explorer::new(Root::default, workload, |_: &Root, _: &History<u64>| outlast_the_limit());
    let report = explorer.max_time(MOMENT).threads(1).progress(false).run().assert();
    assert!(report.images() <= 1, "{report}");
    assert!(!report.is_exhaustive() && report.to_string().contains("left out"), "{report}");
}

#[test]
fn threads_do_not_decide_which_failure_is_told() {
    let run = |threads| {
        let workload = |region: &mut Made, _: &Log<u64>| {
            for n in 1..=8 {
                store_a(region, n)?;
                store_b(region, n)?;
            }
            Ok(())
        };
        let report =
            Explorer::new(Root::default, workload, in_step).depth(1).threads(threads).progress(false).run();
        report.failure().expect("they are out of step").to_string()
    };
    let told = run(1);
    (0..20).for_each(|_| assert_eq!(run(4), told));
}

/// The second of two crashes: where it strikes, and the way back to it.
#[test]
fn a_failure_after_recovery_says_so_and_replays() {
    let explorer =
        Explorer::new(Root::default, |region, _| store_both(region, 1), in_step).then(|region, _| {
            store_a(region, 5)?;
            store_b(region, 5)
        });
    let explorer = explorer.progress(false);
    let report = explorer.run();
    let failure = report.failure().expect("they are out of step");
    let text = failure.to_string();
    assert!(text.contains("then:      after the recovery from that, the power fails just before"), "{text}");
    assert!(text.contains("found at:  tests/crash/explorer.rs:"), "{text}");
    let again = explorer.replay(&failure.seed()).expect("it goes wrong again");
    assert_eq!(again.to_string(), text);
    assert!(explorer.replay("power@9999:=").is_none(), "the workload has no such crash");
}

/// Two images with the same memory, after which different things were begun. Only a crash inside shows it.
#[test]
fn histories_that_differ_are_not_one_case() {
    let workload = |region: &mut Made, _: &Log<u64>| store_a(region, 1);
    let check = |root: &Root, history: &History<u64>| {
        assert!(root.b.get() != 7 || !history.in_flight().contains(&0), "the image without the first store");
    };
    let explorer = Explorer::new(Root::default, workload, check).then(|region, log| {
        log.begin(region.root().a.get());
        store_a(region, 9)?;
        store_b(region, 7)?;
        store_b(region, 8)
    });
    let report = explorer.depth(2).progress(false).run();
    let failure = report.failure().expect("one of the two images goes wrong");
    assert!(failure.message().contains("the image without the first store"), "{report}");
}

/// A block that is given back without a flush goes to another object: all of that object's stores are seen.
#[test]
fn an_object_that_is_freed_before_it_is_flushed_is_forgotten() {
    let workload = |region: &mut Made, log: &Log<u64>| {
        region.transact(|tx, _| {
            tx.free(tx.alloc_slice(&[1_u64])?);
            Ok(())
        })?;
        log.begin(5);
        region.transact(|tx, root| {
            tx.stage(&root.big, tx.flush(tx.alloc_slice(&[5_u64; 5])?));
            Ok(())
        })?;
        log.acknowledge();
        Ok(())
    };
    let check = |root: &Root, history: &History<u64>| match root.big.get() {
        None => assert!(history.acknowledged().is_empty(), "lost"),
        Some(found) => assert_eq!(found, [5; 5]),
    };
    let report = Explorer::new(Root::default, workload, check).progress(false).run().assert();
    assert!(report.is_exhaustive());
}

/// It is not among what the commit makes reachable, however small: an empty slice has no bytes that could lie in it.
#[test]
fn an_object_that_its_transaction_frees_need_not_be_durable() {
    for len in [0, 1] {
        let workload = move |region: &mut Made, log: &Log<()>| {
            // What was stored in its block is known from the end of a transaction on.
            region.transact(|tx, _| {
                tx.free(tx.alloc_slice(&[1_u64; 1][..len])?);
                Ok(())
            })?;
            log.begin(());
            region.transact(|tx, root| {
                tx.free(tx.alloc_slice(&[1_u64; 1][..len])?);
                tx.store(&root.a, 1);
                Ok(())
            })?;
            log.acknowledge();
            Ok(())
        };
        let check = |root: &Root, history: &History<()>| {
            assert!(root.a.get() == 1 || history.acknowledged().is_empty(), "lost");
        };
        let _ = Explorer::new(Root::default, workload, check).progress(false).run().assert();
    }
}

#[test]
fn a_check_that_looks_at_nothing_is_reported() {
    let explorer = |check: fn(&Root, &History<u64>)| {
        let workload = |region: &mut Made, log: &Log<u64>| {
            log.begin(1);
            store_a(region, 1)?;
            log.acknowledge();
            store_a(region, 2)
        };
        Explorer::new(Root::default, workload, check).progress(false)
    };
    let strong = explorer(|root, history| {
        assert!(root.a.get() >= history.acknowledged().len() as u64, "an acknowledged store is lost");
    });
    // The second store is not acknowledged, and so nobody can miss it.
    let strong = strong.mutants();
    assert_eq!(strong.unchecked().count(), 1, "{strong}");
    let weak = explorer(|root, _| assert!(root.a.get() <= 2)).mutants();
    assert_eq!(weak.unchecked().count(), 2, "{weak}");
    assert!(weak.to_string().contains("unchecked:"), "{weak}");
    assert!(weak.is_exhaustive());
}

#[test]
fn a_picture_of_a_part_says_so() {
    let report = large().depth(1).run().assert();
    let picture = report.svg();
    assert!(picture.contains("the first 400 of "), "{picture}");
    assert!(picture.contains("<title>tests/crash/explorer.rs:"));
    let small = Explorer::new(Root::default, |region, _| store_a(region, 1), |_: &Root, _: &History<u64>| ());
    assert!(!small.progress(false).run().assert().svg().contains("the first"));
}

/// What could be left at each crash of one small transaction, counted by hand.
#[test]
fn sizes() {
    let explorer =
        Explorer::new(Root::default, |region, _| store_a(region, 1), |_: &Root, _: &History<u64>| ());
    let report = explorer.depth(1).progress(false).run().assert();
    let sizes: Vec<(usize, usize, f64)> =
        report.sizes().iter().map(|size| (size.tried, size.undurable, size.log10)).collect();
    // Before the commit's fence the word has two values; then closing has its mark.
    assert_eq!(sizes[0], (2, 1, 2_f64.log10()));
    assert!(sizes[1..].iter().all(|&(tried, undurable, _)| tried <= 2 && undurable <= 1), "{sizes:?}");
}

/// The same of mappings. What is explored is in words that are a line apart each.
mod mappings {
    use super::*;
    use indelible::mapping::Mapping;
    use indelible::power::MappingExplorer;
    use std::collections::HashSet;
    use std::sync::{Condvar, Mutex};
    use std::thread;

    type Raw = Mapping<Recorder>;

    fn load(mapping: &Raw, word: usize) -> u64 {
        u64::from_le_bytes(mapping.bytes()[64 * word..64 * word + 8].try_into().unwrap())
    }

    fn store(mapping: &mut Raw, word: usize, n: u64) -> Result<()> {
        mapping.part(64 * word..64 * word + 8)?.store(n).fence().map(drop)
    }

    /// One fence for several words.
    fn store_all<const N: usize>(mapping: &mut Raw, words: [usize; N], n: u64) -> Result<()> {
        let parts = mapping.parts(words.map(|word| 64 * word..64 * word + 8))?;
        Mapping::fence(parts.map(|part| part.store(n))).map(drop)
    }

    fn explorer(
        workload: impl Fn(&mut Raw, &Log<u64>) -> Result<()> + Send + Sync + 'static,
        check: impl Fn(&mut Raw, &History<u64>) + Send + Sync + 'static,
    ) -> MappingExplorer<u64> {
        MappingExplorer::new(4096, |_| Ok(()), workload, check).progress(false)
    }

    fn in_step(mapping: &mut Raw, _: &History<u64>) {
        assert_eq!(load(mapping, 0), load(mapping, 1), "out of step");
    }

    /// Each crash has hundreds of images.
    fn large() -> MappingExplorer<u64> {
        explorer(
            |mapping, log| {
                for n in 1..=5 {
                    log.begin(n);
                    store_all(mapping, [0, 1, 2, 3, 4, 5, 6, 7, 8], n)?;
                    log.acknowledge();
                }
                Ok(())
            },
            |mapping, history| {
                let found = load(mapping, 0);
                assert!(found >= history.acknowledged().len() as u64, "an acknowledged word is lost");
            },
        )
        .kills(false)
        .depth(1)
    }

    #[test]
    fn the_budget_of_images_holds_and_the_report_says_what_was_left_out() {
        let all = large().run().assert();
        assert!(all.is_exhaustive() && all.images() > 5 << 9, "{all}");
        let some = large().max_images(100).threads(1).run().assert();
        assert!(!some.is_exhaustive(), "{some}");
        assert!(some.images() > 100 && some.images() < 200, "{some}");
        let text = some.to_string();
        assert!(text.contains("sampled with seed 1"), "{text}");
        let deep = large().max_images(100).threads(1).depth(2).run().assert().to_string();
        assert!(deep.contains("not exhaustive") && !deep.contains(", 0 crash points left out"), "{deep}");
    }

    #[test]
    fn without_time_everything_is_left_out() {
        let report = large().max_time(Duration::ZERO).run().assert();
        assert!(!report.is_exhaustive(), "{report}");
        assert_eq!(report.images(), 0, "{report}");
    }

    #[test]
    fn a_time_limit_ends_an_exploration_that_has_begun() {
        let workload = |mapping: &mut Raw, _: &Log<u64>| (1..=3).try_for_each(|n| store(mapping, 0, n));
        let explorer = explorer(workload, |_, _| outlast_the_limit());
        let report = explorer.max_time(MOMENT).threads(1).run().assert();
        assert!(report.images() <= 1, "{report}");
        assert!(!report.is_exhaustive() && report.to_string().contains("left out"), "{report}");
    }

    /// The same failure, made as small.
    #[test]
    fn threads_do_not_decide_which_failure_is_told() {
        let run = |threads| {
            let workload = |mapping: &mut Raw, _: &Log<u64>| {
                for n in 1..=4 {
                    store_all(mapping, [2, 3], n)?;
                    store_all(mapping, [0, 1, 4], n)?;
                }
                Ok(())
            };
            let report = explorer(workload, in_step).threads(threads).run();
            report.failure().expect("they are out of step").to_string()
        };
        let told = run(1);
        assert!(told.contains("replay:    explorer.replay("), "{told}");
        (0..20).for_each(|_| assert_eq!(run(4), told));
    }

    #[test]
    fn threads_do_not_decide_how_much_is_tried() {
        let run = |threads| {
            let report = large().threads(threads).depth(2).kills(true).run().assert();
            assert!(report.is_exhaustive());
            (report.crash_points(), report.images(), report.sizes().len())
        };
        assert_eq!(run(4), run(1));
    }

    /// Holds up the thread with the first crash until another thread has found what is wrong at a later one.
    #[derive(Default)]
    struct Delay {
        threads: Mutex<HashSet<thread::ThreadId>>,
        is_found: Mutex<bool>,
        told: Condvar,
    }

    impl Delay {
        /// Whether this is the first image that the calling thread looks at.
        fn is_first(&self) -> bool {
            self.threads.lock().unwrap().insert(thread::current().id())
        }

        fn wait(&self) {
            drop(self.told.wait_while(self.is_found.lock().unwrap(), |is_found| !*is_found).unwrap());
        }

        fn found(&self) {
            *self.is_found.lock().unwrap() = true;
            self.told.notify_all();
        }
    }

    /// Two words, stored one after the other: at the first crash (1, 0) is tried and then (0, 0), at the second
    /// (1, 1) and then (1, 0).
    fn two_words(
        depth: usize,
        threads: usize,
        check: impl Fn(&mut Raw, (u64, u64)) + Send + Sync + 'static,
    ) -> String {
        let workload = |mapping: &mut Raw, _: &Log<u64>| {
            store(mapping, 0, 1)?;
            store(mapping, 1, 1)
        };
        let check = move |mapping: &mut Raw, _: &History<u64>| {
            let found = (load(mapping, 0), load(mapping, 1));
            check(mapping, found);
        };
        let report = explorer(workload, check).kills(false).depth(depth).threads(threads).run();
        report.failure().expect("something is wrong").to_string()
    }

    #[test]
    fn the_first_crash_is_told_even_if_a_later_one_goes_wrong_sooner() {
        let run = |threads| {
            let delay = Delay::default();
            two_words(1, threads, move |_, found| {
                let is_first = delay.is_first();
                match found {
                    (1, 0) if is_first && threads > 1 => delay.wait(),
                    (0, 0) => panic!("wrong at the first crash"),
                    (1, 1) => {
                        delay.found();
                        panic!("wrong at the second");
                    }
                    _ => {}
                }
            })
        };
        let told = run(1);
        assert!(told.contains("wrong at the first crash"), "{told}");
        assert_eq!(run(2), told);
    }

    /// Both crashes lead to the same state inside recovery, in which something is wrong. The first passes over it
    /// when the second has explored it.
    #[test]
    fn the_first_crash_is_told_even_if_a_later_one_explored_the_state() {
        let run = |threads| {
            let delay = Delay::default();
            two_words(2, threads, move |mapping, found| {
                if load(mapping, 3) > load(mapping, 2) {
                    delay.found();
                    panic!("the recovery is out of step");
                }
                let is_first = delay.is_first();
                if found == (1, 0) {
                    if is_first && threads > 1 {
                        delay.wait();
                    }
                    store_all(mapping, [2, 3], 1).unwrap();
                }
            })
        };
        let told = run(1);
        assert!(told.contains("then:      in the recovery from that"), "{told}");
        assert_eq!(run(2), told);
    }

    /// A random image loses more than it must.
    #[test]
    fn the_story_of_a_sampled_failure_is_as_short_as_any() {
        let workload = |mapping: &mut Raw, _: &Log<u64>| store_all(mapping, [0, 1, 2, 3, 4, 5, 6, 7], 1);
        let report = explorer(workload, in_step).max_images(0).threads(1).run();
        let failure = report.failure().expect("they are out of step");
        assert_eq!((failure.lost_at().len(), failure.survived_at().len()), (1, 1), "{failure}");
    }

    #[test]
    fn a_failure_after_recovery_says_so_and_replays() {
        let explorer = explorer(|mapping, _| store(mapping, 2, 1), in_step).then(|mapping, _| {
            store(mapping, 0, 5)?;
            store(mapping, 1, 5)
        });
        let report = explorer.run();
        let failure = report.failure().expect("they are out of step");
        let text = failure.to_string();
        assert!(text.contains("then:      after the recovery from that, the power fails just"), "{text}");
        assert!(text.contains(concat!("found at:  ", file!(), ":")), "{text}");
        assert!(text.starts_with("a crash can leave the mapping wrong"), "{text}");
        let again = explorer.replay(&failure.seed()).expect("it goes wrong again");
        assert_eq!(again.to_string(), text);
        assert!(explorer.replay("power@9999:=").is_none(), "the workload has no such crash");
    }

    /// Two images with the same memory, after which different things were begun. Only a crash inside shows it.
    #[test]
    fn histories_that_differ_are_not_one_case() {
        let check = |mapping: &mut Raw, history: &History<u64>| {
            let begun = history.in_flight().contains(&0);
            assert!(load(mapping, 1) != 7 || !begun, "the image without the first store");
        };
        let explorer = explorer(|mapping, _| store(mapping, 0, 1), check).then(|mapping, log| {
            log.begin(load(mapping, 0));
            store(mapping, 0, 9)?;
            store(mapping, 1, 7)?;
            store(mapping, 1, 8)
        });
        let report = explorer.depth(2).run();
        let failure = report.failure().expect("one of the two images goes wrong");
        assert!(failure.message().contains("the image without the first store"), "{report}");
    }

    /// The mutants of what the program does at first: a flush that nobody would miss, and in recovery one that the
    /// next crash misses.
    #[test]
    fn mutants_are_made_of_recovery_too() {
        let check = |mapping: &mut Raw, _: &History<u64>| {
            // Recovery makes a copy, and says then that it is there.
            if load(mapping, 0) == 1 && load(mapping, 2) == 0 {
                store(mapping, 1, 1).unwrap();
                store(mapping, 2, 1).unwrap();
            }
            assert!(load(mapping, 1) >= load(mapping, 2), "there is no copy");
        };
        let mutants = explorer(|mapping, _| store(mapping, 0, 1), check).mutants();
        assert!(mutants.is_exhaustive());
        let noticed = |what| mutants.noticed().filter(|mutant| mutant.what().contains(what)).count();
        assert_eq!(noticed("in recovery or after it"), 2, "{mutants}"); // the flush and the fence of `store`
    }

    #[test]
    fn a_picture_of_a_part_says_so() {
        let workload = |mapping: &mut Raw, _: &Log<u64>| (1..=200).try_for_each(|n| store(mapping, 0, n));
        let report = explorer(workload, |_, _| ()).depth(1).run().assert();
        assert!(report.svg().contains("the first 400 of 600 events"));
    }

    /// Every unit that is open is decided, whether recovery reads it or not.
    #[test]
    fn sizes() {
        let report =
            explorer(|mapping, _| store_all(mapping, [0, 1, 2], 1), |_, _| ()).depth(1).run().assert();
        let sizes: Vec<(usize, usize, f64)> =
            report.sizes().iter().map(|size| (size.tried, size.undurable, size.log10)).collect();
        assert_eq!(sizes.len(), 2, "before the fence, and at the end");
        assert_eq!((sizes[0].0, sizes[0].1, sizes[1]), (8, 3, (1, 0, 0.0)));
        assert!((sizes[0].2 - 8_f64.log10()).abs() < 1e-9);
    }

    /// By `fsync` on a file system; by a flush of every line on device DAX, where a mutant misses it.
    #[test]
    fn what_a_kill_left_is_durable_once_it_is_opened() {
        let explorer = |opened: fn(&EventKind) -> bool| {
            let workload = |mapping: &mut Raw, _: &Log<u64>| {
                drop(mapping.part(0..8)?.store(1)); // killed before the fence
                Ok(())
            };
            explorer(workload, move |mapping, _| {
                let trace = mapping.medium().trace();
                let first =
                    trace.events().iter().find(|event| !matches!(event.kind, EventKind::Decide { .. }));
                assert!(first.is_some_and(|event| opened(&event.kind)), "opened otherwise: {first:?}");
                let (first, second) = (load(mapping, 0), load(mapping, 1));
                assert!(second <= first, "the second was derived from the first, which is lost");
                store(mapping, 1, first).unwrap();
            })
        };
        let synced = explorer(|kind| *kind == EventKind::Sync).file_system().run().assert();
        assert!(synced.is_exhaustive());
        let flushed = explorer(|kind| matches!(kind, EventKind::Flush { .. }));
        let mutants = flushed.mutants();
        assert!(mutants.noticed().all(|mutant| !mutant.is_explicit()), "{mutants}");
        assert_eq!(mutants.noticed().count(), 2, "the flush and the fence of opening: {mutants}");
        let killed = flushed.run().assert();
        assert!(flushed.kills(false).run().assert().crash_points() < killed.crash_points(), "{killed}");
    }
}
