//! Transactions that end with an error or a panic, wherever it comes from.

use indelible::medium::Emulated;
use indelible::{Error, Result, Tx};
use indelible_test_support::{nodes::*, panics::panics};

/// What the application itself has to say.
#[derive(Debug)]
enum Refusal {
    Mine,
    Region(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Region(error)
    }
}

fn panicking(message: &str) -> Result<()> {
    panic!("{message}")
}

/// Uses every verb, so that whatever ends the transaction then has all of it to undo.
fn change_everything<'t>(tx: &Tx<'t, Emulated>, root: &'t Root) -> Result<()> {
    let old = tx.take(&root.full).expect("it is full");
    let mut copy = tx.rewrite(old)?;
    *copy.fields().key = 44;
    tx.publish(&root.empty, tx.persist(copy)?);
    let mut parent = tx.alloc(node(4))?;
    let child = tx.flush(tx.alloc(node(5))?);
    tx.attach(&mut parent, |parent| &parent.left, child);
    tx.stage(&root.full, tx.flush(parent));
    tx.free(tx.replace(&root.text, tx.persist(tx.alloc_str("other")?)?));
    tx.free(tx.stream_slice(&[1_u64; 100])?);
    tx.store(&root.count, 100);
    let _orphan = tx.alloc_slice(&[1_u8; 5000])?;
    Ok(())
}

#[test]
fn an_error_leaves_no_trace() {
    let error = leaves_no_trace(&mut region(), |region| {
        region.transact(|tx, root| {
            change_everything(tx, root)?;
            Err::<(), _>(Error::other("mine"))
        })
    });
    assert_eq!(error.expect_err("it was an error").to_string(), "mine");
}

#[test]
fn an_error_of_the_applications_own_type_leaves_no_trace() {
    let error = leaves_no_trace(&mut region(), |region| {
        region.try_transact(|tx, root| {
            change_everything(tx, root)?;
            Err::<(), _>(Refusal::Mine)
        })
    });
    assert!(matches!(error, Err(Refusal::Mine)), "{error:?}");
    let orphaned = leaves_no_trace(&mut region(), |region| {
        region.try_transact(|tx, root| Ok::<_, Refusal>(change_everything(tx, root)?))
    });
    assert!(matches!(orphaned, Err(Refusal::Region(Error::Orphaned { handles: 1, .. }))), "{orphaned:?}");
}

#[test]
fn a_panic_leaves_no_trace() {
    let (message, _) = leaves_no_trace(&mut region(), |region| {
        panics(|| {
            region.transact(|tx, root| {
                change_everything(tx, root)?;
                panicking("the application's own")
            })
        })
    });
    assert_eq!(message, "the application's own");
}

#[test]
fn a_panic_while_a_slice_is_made_leaves_no_trace() {
    for fails_at in [0, 1, 999] {
        let element = move |index: usize| match index == fails_at {
            true => panic!("no element"),
            false => node(index as u64),
        };
        leaves_no_trace(&mut region(), |region| {
            panics(|| region.transact(|tx, _| tx.alloc_slice_with(1000, element).map(drop)))
        });
        // Caught, the slice that came to nothing is an object without an owner.
        let caught = leaves_no_trace(&mut region(), |region| {
            region.transact(|tx, root| {
                tx.store(&root.count, 1);
                panics(|| tx.alloc_slice_with(1000, element).map(drop));
                Ok(())
            })
        });
        assert!(matches!(caught, Err(Error::Orphaned { handles: 1, .. })), "{caught:?}");
    }
}

#[test]
fn a_slices_closure_may_use_the_transaction() {
    let mut region = region();
    region
        .transact(|tx, root| {
            let mut texts = Vec::new();
            let slice = tx.alloc_slice_with(3, |index| {
                texts.push(tx.alloc(node(index as u64)));
                tx.store(&root.count, index as u64);
                tx.load(&root.count)
            })?;
            assert_eq!(*slice, [0, 1, 2]);
            tx.free(slice);
            tx.free(texts.into_iter().collect::<Result<Vec<_>>>()?);
            Ok(())
        })
        .expect("no rule is broken");
    assert_eq!(region.root().count.get(), 2);
}

#[test]
fn a_panic_while_a_child_is_attached_leaves_no_trace() {
    fn attach<'t>(tx: &Tx<'t, Emulated>, root: &'t Root) -> Result<()> {
        let mut parent = tx.alloc(node(4))?;
        let child = tx.take(&root.full);
        panics(|| tx.attach(&mut parent, |_| panic!("no link"), child));
        // The parent is whole still, and its link null.
        assert!(parent.left.is_null());
        tx.free(parent);
        Ok(())
    }
    let caught = leaves_no_trace(&mut region(), |region| region.transact(attach));
    assert!(matches!(caught, Err(Error::Orphaned { handles: 1, .. })), "the child: {caught:?}");
    leaves_no_trace(&mut region(), |region| {
        panics(|| {
            region.transact(|tx, root| {
                attach(tx, root)?;
                panicking("after all")
            })
        })
    });
}

/// A panic of the application's own that it caught is its own affair.
#[test]
fn a_panic_that_broke_no_rule_may_be_caught() {
    let mut region = region();
    region
        .transact(|tx, root| {
            tx.store(&root.count, 1);
            panics(|| panic!("the application's own"));
            tx.store(&root.other, 2);
            Ok(())
        })
        .expect("nothing of the transaction was concerned");
    assert_eq!((region.root().count.get(), region.root().other.get()), (1, 2));
}

/// Hundreds of aborted transactions give back what they took, and so the heap never fills.
#[test]
fn aborted_transactions_use_nothing_up() {
    let mut region = region();
    let before = contents(&region);
    for round in 0..500 {
        match round % 3 {
            0 => drop(region.transact(|tx, root| {
                change_everything(tx, root)?;
                Err::<(), _>(Error::other("mine"))
            })),
            1 => drop(region.transact(change_everything)),
            _ => drop(panics(|| {
                region.transact(|tx, root| {
                    change_everything(tx, root)?;
                    panicking("the application's own")
                })
            })),
        }
        assert_eq!(contents(&region), before, "round {round}");
    }
}
