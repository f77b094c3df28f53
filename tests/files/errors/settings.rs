//! Lengths and options that no region can have, and an address space that has no room for one.

use crate::child;
use crate::support::*;
use indelible::medium::{Auto, PageCache, PersistenceDomain};
use indelible::{Error, Options, Region, Result, Word};

#[test]
fn a_length_without_room_for_the_root_is_refused_and_the_least_that_has_is_named() {
    let folder = Folder::new();
    let path = folder.join("x");
    let error = create::<PageCache>(&path, 0).map(drop).expect_err("no room");
    let Error::TooSmall { needed, .. } = error else { panic!("{error:?}") };
    for (case, asked) in [
        ("length: 0", 0),
        ("length: 1", 1),
        ("length: a page", 4096),
        ("length: one byte less than is needed", needed - 1),
    ] {
        let error = refused(&folder, case, "ask for at least", || create::<PageCache>(&path, asked));
        assert_error!(error, Error::TooSmall { len, needed: least } if len == asked && least == needed);
        let error = refused(&folder, case, "ask for at least", || create::<Auto>(&path, asked));
        assert_error!(error, Error::TooSmall { len, .. } if len == asked);
    }
    let error = refused(&folder, "length: in memory", "ask for at least", || Region::new(4097, empty_bank()));
    assert_error!(error, Error::TooSmall { len: 4097, .. });

    let mut bank = create::<PageCache>(&path, needed).expect("exactly what is needed");
    assert_eq!(bank.len(), needed);
    fill(&mut bank).expect("it grows");
    drop(bank);
    assert_good(&path);
}

#[test]
fn a_length_that_is_too_large_is_refused() {
    let folder = Folder::new();
    let path = folder.join("x");
    let case = "length: 1 TiB";
    let error = refused(&folder, case, "at most", || create::<PageCache>(&path, 1 << 40));
    assert_error!(error, Error::TooLarge { len, .. } if len == 1 << 40);
    let error = refused(&folder, case, "at most", || Region::new(1 << 40, empty_bank()));
    assert_error!(error, Error::TooLarge { .. });

    let file = std::fs::File::create(&path).expect("the test's own");
    if let Err(error) = file.set_len(1 << 41) {
        return note(&format!("not run, opening a file of 2 TiB: {error}"));
    }
    let error = refused_to_open::<Bank>(&folder, "length: a file of 2 TiB", "at most", &path);
    assert_error!(error, Error::TooLarge { len, .. } if len == 1 << 41);
}

#[test]
fn options_that_can_not_be_used_are_refused_by_every_call() {
    let folder = Folder::new();
    let (old, new) = (folder.join("x"), folder.join("new"));
    bank(&old);
    let vouch = Options::new().assume_persistence_domain(PersistenceDomain::CpuCache);
    for (case, advice, named, options) in [
        ("option: no journal", "give 1 to 16,777,216", "journal_words", Options::new().journal_words(0)),
        (
            "option: an immense journal",
            "give 1 to 16,777,216",
            "journal_words",
            Options::new().journal_words(1 << 24 | 1),
        ),
        ("option: growth beyond 1 TiB", "give less", "max_len", Options::new().max_len((1 << 40) + 1)),
        (
            "option: a domain that can't be vouched for",
            "give MemoryController",
            "assume_persistence_domain",
            vouch,
        ),
    ] {
        let refused = |attempt: &dyn Fn() -> Result<()>| {
            let error = refused(&folder, case, advice, attempt);
            assert_error!(error, Error::BadOption { option, .. } if option == named);
        };
        // SAFETY: the file is the test's own, and tests run one at a time.
        refused(&|| unsafe { options.open::<Bank, PageCache>(&old) }.map(drop));
        // SAFETY: as above.
        refused(&|| unsafe { options.create::<_, PageCache>(&new, LEN, empty_bank()) }.map(drop));
        // SAFETY: as above.
        refused(&|| unsafe { options.open_or_create::<_, PageCache>(&old, LEN, empty_bank) }.map(drop));
        let root = |_: &Bank| Word::new(0_u64);
        // SAFETY: as above.
        refused(&|| unsafe { options.migrate::<_, _, PageCache>(&old, LEN, root, |_, _| Ok(())) }.map(drop));
        refused(&|| options.emulated(LEN, empty_bank()).map(drop));
    }
    assert_good(&old);
}

#[test]
fn a_limit_on_address_space_is_told_from_other_errors() {
    let folder = Folder::new();
    bank(&folder.join("x"));
    // 4 GiB; the default reserves 64.
    child::run_after("ulimit -v 4194304", false, "meet the limit on address space", &folder);
    assert_good(&folder.join("x"));
}

pub fn meet_the_limit_on_address_space(folder: &Folder) {
    let (old, new) = (folder.join("x"), folder.join("new"));
    let (case, advice) = ("limit: address space", "lower `Options::max_len` or raise the limit");
    assert_error!(refused_to_open::<Bank>(folder, case, advice, &old), Error::AddressSpace { len, .. } if len >= 1 << 36);
    let error = refused(folder, case, advice, || create::<Auto>(&new, LEN));
    assert_error!(error, Error::AddressSpace { .. });
    let error = refused(folder, case, advice, || create::<PageCache>(&new, LEN));
    assert_error!(error, Error::AddressSpace { .. });
    let error = refused(folder, case, advice, || Region::new(LEN, empty_bank()));
    assert_error!(error, Error::AddressSpace { .. });

    // SAFETY: the file is the test's own, and tests run one at a time.
    let bank = unsafe { options().max_len(1 << 28).open::<Bank, PageCache>(&old) };
    assert!(bank.is_ok(), "it opens with what the text advises");
}
