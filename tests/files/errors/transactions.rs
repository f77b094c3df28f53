//! Transactions that ask for too much or leave something behind: refused whole, and the region goes on.

use crate::snapshot;
use crate::support::*;
use indelible::medium::PageCache;
use indelible::{Error, Link, Options, Persistent, Region, Result, Tx, Word};

#[derive(Persistent)]
#[repr(C)]
struct Words {
    words: [Word<u64>; 9],
}

#[test]
fn more_words_than_the_journal_holds_are_refused_and_nothing_changes() {
    let folder = Folder::new();
    let path = folder.join("x");
    for (case, journal) in
        [("transaction: more than a record holds", 8), ("transaction: more than a record of one word", 1)]
    {
        let options = Options::new().journal_words(journal).max_len(1 << 24);
        let root = Words { words: std::array::from_fn(|_| Word::new(7)) };
        // SAFETY: the file is the test's own, and tests run one at a time.
        let mut region: Region<Words, PageCache> =
            unsafe { allowing_tmpfs(options).create(&path, LEN, root).expect("room") };
        let mut store = |words: usize, value: u64| {
            region.transact(|tx, root| {
                root.words[..words].iter().for_each(|word| tx.store(word, value));
                Ok(())
            })
        };
        for words in [journal + 1, 9] {
            let error = store(words, 8).expect_err("too many");
            assert_error!(error, Error::JournalFull { words: n, capacity } if n == words && capacity == journal);
        }
        store(journal, 7).expect("words that keep their value are no change");
        let error =
            refused(&folder, case, "with a larger `Options::journal_words`", || store(journal + 1, 8));
        assert_error!(error, Error::JournalFull { .. });
        store(journal, 9).expect("as many as fit");
        assert_eq!(region.root().words.iter().filter(|word| word.get() == 9).count(), journal);
        assert_eq!(region.root().words.iter().filter(|word| word.get() == 7).count(), 9 - journal);
        drop(region);
        std::fs::remove_file(&path).expect("the test's own");
    }
}

fn allowing_tmpfs(options: Options) -> Options {
    options.allow_memory_file_system(indelible::medium::MemoryFileSystem::Tmpfs)
}

/// A region that may not grow.
fn full_grown(folder: &Folder) -> Region<Bank, PageCache> {
    bank(&folder.join("x"));
    // SAFETY: the file is the test's own, and tests run one at a time.
    unsafe { options().max_len(LEN).open(folder.join("x")).expect("good") }
}

/// The transaction is refused, and what is published and what is allocated are as before.
#[track_caller]
fn aborted(
    folder: &Folder,
    bank: &mut Region<Bank, PageCache>,
    case: &str,
    advice: &str,
    transaction: impl for<'t> FnOnce(&Tx<'t, PageCache>, &'t Bank) -> Result<()>,
) -> Error {
    let before = (bank.usage().expect("good"), contents(bank));
    let error = bank.transact(transaction).expect_err(case);
    assert_eq!((bank.usage().expect("good"), contents(bank)), before, "{case}");
    assert!(error.to_string().contains(advice), "{case}: no {advice:?} in: {error}");
    snapshot::check(case, &error, folder.path());
    bank.transact(|tx, root| {
        tx.store(&root.count, tx.load(&root.count) + 1);
        Ok(())
    })
    .expect("the region goes on");
    error
}

fn contents(bank: &Region<Bank, PageCache>) -> (Vec<(u64, String)>, u64, Option<Vec<u64>>) {
    let mut accounts = Vec::new();
    let mut link = &bank.root().accounts;
    while let Some(account) = link.get() {
        accounts.push((account.id, account.name.get().unwrap_or_default().to_string()));
        link = &account.next;
    }
    (accounts, bank.root().count.get(), bank.root().history.get().map(<[u64]>::to_vec))
}

#[test]
fn a_full_heap_gives_everything_back_and_the_region_goes_on() {
    let folder = Folder::new();
    let mut bank = full_grown(&folder);
    let advice = "open it with a larger `Options::max_len`";
    for (case, len) in [
        ("transaction: the heap is full of small objects", 1),
        ("transaction: the heap is full of larger objects", 200),
        ("transaction: an object larger than the region", 100_000),
    ] {
        let error = aborted(&folder, &mut bank, case, advice, |tx, root| {
            tx.free(tx.take(&root.history));
            loop {
                let _orphan = tx.alloc_slice(&vec![1_u64; len])?;
            }
        });
        assert_error!(error, Error::HeapFull { len: LEN, max_len: LEN, .. });
    }
    // A closure that can do with less may go on after it.
    bank.transact(|tx, root| {
        let error = tx.alloc_slice(&[0_u64; 100_000]).map(drop).expect_err("no room");
        assert_error!(error, Error::HeapFull { .. });
        let history = tx.alloc_slice(&[5_u64; 10])?;
        tx.free(tx.replace(&root.history, tx.persist(history)?));
        Ok(())
    })
    .expect("what fits is committed");
    drop(bank);
    let mut bank = open::<Bank, PageCache>(&folder.join("x")).expect("good");
    assert_eq!(bank.root().history.get(), Some(&[5; 10][..]));
    bank.transact(|tx, root| {
        let history = tx.alloc_slice(&[0_u64; 100_000])?;
        tx.free(tx.replace(&root.history, tx.persist(history)?));
        Ok(())
    })
    .expect("it fits where the region may grow, as the text says");
}

#[test]
fn no_length_is_too_large_to_be_refused() {
    let folder = Folder::new();
    let mut bank = full_grown(&folder);
    let (case, advice) = ("transaction: a slice that no region holds", "store it in parts");
    let error = aborted(&folder, &mut bank, case, advice, |tx, _| {
        let _orphan = tx.alloc_slice_with(usize::MAX, |_| 0_u64)?;
        Ok(())
    });
    assert_error!(error, Error::BadLength { len: usize::MAX, size: 8, .. });
    for power in 16..64 {
        for len in [(1_usize << power) - 1, 1 << power, (1 << power) + 12_345, (1 << power) / 3 * 4] {
            bank.transact(|tx, _| {
                let refused = |result: Result<()>| match result {
                    Err(Error::HeapFull { .. } | Error::BadLength { .. }) => {}
                    other => panic!("{len} elements: {other:?}"),
                };
                refused(tx.alloc_slice_with(len, |_| 0_u8).map(drop));
                refused(tx.alloc_slice_with(len, |_| 0_u64).map(drop));
                Ok(())
            })
            .expect("nothing was allocated");
        }
    }
}

#[test]
fn handles_that_found_no_owner_are_counted() {
    let folder = Folder::new();
    let mut bank = full_grown(&folder);
    let advice = "do one of these with every handle";
    let orphaned = "transaction: an object without an owner";
    let error = aborted(&folder, &mut bank, orphaned, advice, |tx, _| {
        drop(tx.alloc_str("dropped")?);
        Ok(())
    });
    assert_error!(error, Error::Orphaned { handles: 1, .. });
    #[expect(clippy::forget_non_drop, reason = "a handle has no `Drop`: the counter is all there is")]
    let error = aborted(&folder, &mut bank, orphaned, advice, |tx, root| {
        std::mem::forget(tx.take(&root.accounts));
        Ok(())
    });
    assert_error!(error, Error::Orphaned { handles: 1, .. });
    let error = aborted(&folder, &mut bank, orphaned, advice, |tx, _| {
        Box::leak(Box::new(tx.flush(tx.alloc_str("leaked")?)));
        Ok(())
    });
    assert_error!(error, Error::Orphaned { handles: 1, .. });
    let error =
        aborted(&folder, &mut bank, "transaction: three objects without an owner", advice, |tx, root| {
            let account = Account { id: 9, balance: Word::new(0), next: Link::null(), name: Link::null() };
            let _account = tx.persist(tx.alloc(account)?)?;
            let _history = tx.take(&root.history);
            let _accounts = tx.take(&root.accounts);
            Ok(())
        });
    assert_error!(error, Error::Orphaned { handles: 3, .. });
}

#[test]
fn a_rule_that_was_broken_and_caught_aborts() {
    let folder = Folder::new();
    let mut bank = full_grown(&folder);
    let (case, advice) = ("transaction: a broken rule was caught", "run it again without the mistake");
    let error = aborted(&folder, &mut bank, case, advice, |tx, root| {
        tx.store(&root.frozen, true);
        let foreign: &'static Word<u64> = Box::leak(Box::new(Word::new(0)));
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tx.store(foreign, 1)));
        assert!(caught.is_err());
        Ok(())
    });
    assert_error!(error, Error::Aborted);
    assert!(!bank.root().frozen.get());
}
