//! The explorer itself: its budgets hold, its reports say where, its seeds lead back, and no case stands for
//! another that differs.

use indelible::power::{Explorer, History, Log, Recorder};
use indelible::{Link, Persistent, Region, Result, Word};
use std::time::Duration;

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
    assert!(text.contains("found at:  tests/explorer.rs:"), "{text}");
    let again = explorer.replay(&failure.seed()).expect("it goes wrong again");
    assert_eq!(again.to_string(), text);
    assert!(explorer.replay("power@9999:=").is_none(), "the workload has no such crash");
}

/// Two images with the same memory, after which different things were begun.
#[test]
fn histories_that_differ_are_not_one_case() {
    let workload = |region: &mut Made, _: &Log<u64>| store_a(region, 1);
    let check = |root: &Root, history: &History<u64>| {
        assert!(root.b.get() != 7 || !history.in_flight().contains(&0), "the image without the first store");
    };
    let explorer = Explorer::new(Root::default, workload, check).then(|region, log| {
        log.begin(region.root().a.get());
        store_a(region, 9)?;
        store_b(region, 7)
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
    assert!(picture.contains("<title>tests/explorer.rs:"));
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
