//! One run of one scenario. What the library does between the markers is traced, and some of it fails; the
//! rest of this looks for what such a failure left behind. It ends with one line: `outcome: …; then STATE`,
//! where `STATE` is what the region must hold when it is opened again.

use crate::bank::{self, Bank, NEW, OLD, State};
use crate::process::{Holdings, names};
use indelible::{Error, Region, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// What a scenario does between the markers.
pub enum Act {
    /// Makes a region out of a path; afterwards it has this state.
    Open(fn(&Path) -> Result<Bank>, State),
    /// Changes an open region, to this state.
    Change(fn(&mut Bank) -> Result<()>, State),
    /// Closes an open region.
    Close,
    /// Drops one.
    Drop,
}

pub struct Scenario {
    pub name: &'static str,
    /// What is there before, if anything is.
    pub before: Option<Before>,
    pub act: Act,
    /// What fails in every run: the way that the library takes then is the scenario.
    pub always: Option<(&'static str, &'static str)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// A region that was closed, in state [`OLD`].
    Closed,
    /// One that was not, with a record to be replayed; in state [`RECORD`].
    Unclosed,
    /// One of the older root type, in state [`OLD`]. Calls of a migration are killed, and do not fail.
    Older,
}

/// After a change of both words.
pub const RECORD: State = State { words: [2, 2, 1], history: OLD.history };
const ALL: State = State { words: [2, 2, 1], history: (100, 2) };
const GROWN: State = State { words: [2, 2, 1], history: (1 << 16, 2) };
const LONE: State = State { words: [1, 1, 2], history: OLD.history };

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "create",
        before: None,
        act: Act::Open(|path| bank::create(path, bank::LEN), NEW),
        always: None,
    },
    Scenario {
        name: "create-by-temporary-name",
        before: None,
        act: Act::Open(|path| bank::create(path, bank::LEN), NEW),
        always: Some(("openat", "EOPNOTSUPP")),
    },
    Scenario { name: "open", before: Some(Before::Closed), act: Act::Open(bank::open, OLD), always: None },
    Scenario {
        name: "open-unclosed",
        before: Some(Before::Unclosed),
        act: Act::Open(bank::open, RECORD),
        always: None,
    },
    Scenario {
        name: "open_or_create-missing",
        before: None,
        act: Act::Open(bank::open_or_create, NEW),
        always: None,
    },
    Scenario {
        name: "open_or_create-there",
        before: Some(Before::Closed),
        act: Act::Open(bank::open_or_create, OLD),
        always: None,
    },
    Scenario {
        name: "commit-word",
        before: Some(Before::Closed),
        act: Act::Change(|bank| bank::write_lone(bank, 2), LONE),
        always: None,
    },
    Scenario {
        name: "commit-record",
        before: Some(Before::Closed),
        act: Act::Change(|bank| bank::write_pair(bank, 2), RECORD),
        always: None,
    },
    Scenario {
        name: "commit-publish",
        before: Some(Before::Closed),
        act: Act::Change(|bank| bank::write_all(bank, 100, 2), ALL),
        always: None,
    },
    Scenario {
        name: "grow",
        before: Some(Before::Closed),
        act: Act::Change(|bank| bank::write_all(bank, 1 << 16, 2), GROWN),
        always: None,
    },
    Scenario {
        name: "grow-disk-full",
        before: Some(Before::Closed),
        act: Act::Change(|bank| bank::write_all(bank, 1 << 16, 2), GROWN),
        always: Some(("fallocate", "ENOSPC")),
    },
    Scenario {
        name: "migrate",
        before: Some(Before::Older),
        act: Act::Open(bank::migrate, bank::MIGRATED),
        always: None,
    },
    Scenario {
        name: "migrate-and-keep",
        before: Some(Before::Older),
        act: Act::Open(bank::migrate_and_keep, bank::MIGRATED),
        always: None,
    },
    Scenario { name: "close", before: Some(Before::Closed), act: Act::Close, always: None },
    Scenario { name: "drop", before: Some(Before::Closed), act: Act::Drop, always: None },
];

impl Scenario {
    /// The state before, and after.
    pub fn states(&self) -> (Option<State>, State) {
        let before = self.before.map(|before| match before {
            Before::Closed | Before::Older => OLD,
            Before::Unclosed => RECORD,
        });
        let after = match self.act {
            Act::Open(_, after) | Act::Change(_, after) => after,
            Act::Close | Act::Drop => OLD,
        };
        (before, after)
    }
}

pub fn region(folder: &Path) -> PathBuf {
    folder.join("region")
}

/// A path that is nowhere: strace shows the attempt.
pub const BEGIN: &str = "/faults-begin";
pub const END: &str = "/faults-end";

fn mark(path: &str) {
    let _ = rustix::fs::access(path, rustix::fs::Access::EXISTS);
}

fn between<X>(act: impl FnOnce() -> X) -> X {
    mark(BEGIN);
    let result = act();
    mark(END);
    result
}

type Checked<T = ()> = Result<T, String>;

fn check(holds: bool, what: impl Into<String>) -> Checked {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// Opens the region again, now that nothing fails any more.
fn reopen(path: &Path) -> Checked<Bank> {
    bank::open(path).map_err(|error| format!("it does not open again: {error}"))
}

fn close(bank: Bank) -> Checked {
    bank.close().map_err(|error| format!("it does not close: {error}"))
}

pub fn run(name: &str, folder: &Path) -> Checked {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).ok_or("no such scenario")?;
    std::panic::set_hook(Box::new(|_| {}));
    let path = region(folder);
    // Once each, so that what the runtime loads late is there before anything is counted.
    let _ = (Holdings::now(folder), names(folder), Error::other("").to_string());
    match scenario.act {
        Act::Open(open, after) => opening(folder, &path, open, after),
        Act::Change(change, after) => changing(folder, &path, change, after),
        Act::Close => closing(folder, &path, Region::close),
        Act::Drop => closing(folder, &path, |bank| {
            drop(bank);
            Ok(())
        }),
    }
}

/// Whether nothing is left of the region in this process.
fn nothing_left(folder: &Path, before: &Holdings) -> Checked {
    let left = Holdings::now(folder).more_than(before);
    if !left.is_empty() {
        // Not wrong by itself: where `close` or `munmap` is what failed, it is so.
        println!("left: {}", left.join(" | "));
    }
    Ok(())
}

fn opening(folder: &Path, path: &Path, open: fn(&Path) -> Result<Bank>, after: State) -> Checked {
    let (before, there) = (Holdings::now(folder), names(folder));
    let bytes = std::fs::read(path).ok();
    let result = between(|| open(path));
    let outcome = match result {
        Ok(bank) => {
            check(bank::state(&bank)? == after, format!("opened as {:?}", bank::state(&bank)))?;
            close(bank)?;
            nothing_left(folder, &before)?;
            "ok".to_string()
        }
        Err(error) => {
            nothing_left(folder, &before)?;
            check(names(folder) == there, format!("names afterwards: {:?}", names(folder)))?;
            if !matches!(error, Error::Poisoned { .. } | Error::NotWrittenBack { .. }) {
                check(std::fs::read(path).ok() == bytes, "the file's bytes changed")?;
            }
            let again = open(path).map_err(|error| format!("the second attempt fails: {error}"))?;
            check(bank::state(&again)? == after, format!("opened again as {:?}", bank::state(&again)))?;
            close(again)?;
            bank::name(&error)
        }
    };
    let mut there = names(folder);
    there.retain(|name| name != bank::KEPT);
    check(there == ["region"], format!("names at the end: {there:?}"))?;
    println!("outcome: {outcome}; then new");
    Ok(())
}

fn changing(folder: &Path, path: &Path, change: fn(&mut Bank) -> Result<()>, after: State) -> Checked {
    let before = Holdings::now(folder);
    let mut bank = bank::open(path).map_err(|error| error.to_string())?;
    let result = between(|| change(&mut bank));
    let mut again = "";
    let then = match &result {
        Ok(()) => {
            check(bank::state(&bank)? == after, format!("committed as {:?}", bank::state(&bank)))?;
            close(bank)?;
            "new"
        }
        Err(Error::Poisoned { .. } | Error::OutcomeUnknown { .. }) => {
            let poisoned = |error| matches!(error, Some(Error::Poisoned { .. }));
            check(poisoned(bank.try_root().err()), "`try_root` answers no error")?;
            check(
                catch_unwind(AssertUnwindSafe(|| bank.root().lone.get())).is_err(),
                "`root` does not panic",
            )?;
            check(poisoned(change(&mut bank).err()), "a poisoned region was changed")?;
            check(poisoned(bank::write_lone(&mut bank, 9).err()), "a poisoned region was changed")?;
            check(poisoned(bank.usage().err()), "`usage` of a poisoned region")?;
            check(poisoned(bank.close().err()), "a poisoned region was closed as if it were well")?;
            nothing_left(folder, &before)?;
            let again = reopen(path)?;
            let found = bank::state(&again)?;
            close(again)?;
            let unknown = matches!(result, Err(Error::OutcomeUnknown { .. }));
            check(found == OLD || (unknown && found == after), format!("reopened as {found:?}"))?;
            if found == OLD { "old" } else { "new" }
        }
        Err(_) => {
            check(bank::state(&bank)? == OLD, format!("after an error: {:?}", bank::state(&bank)))?;
            check(bank.usage().map_err(|error| error.to_string())?.unreached_bytes == 0, "something leaked")?;
            match change(&mut bank) {
                Ok(()) => {}
                Err(Error::Io { op: "mmap", .. }) => {
                    again = " until it is reopened";
                    close(bank)?;
                    bank = reopen(path)?;
                    change(&mut bank).map_err(|error| format!("reopened, it fails again: {error}"))?;
                }
                Err(error) => return Err(format!("the second attempt fails: {error}")),
            }
            check(bank::state(&bank)? == after, format!("committed as {:?}", bank::state(&bank)))?;
            close(bank)?;
            "new"
        }
    };
    nothing_left(folder, &before)?;
    let outcome = result.map_or_else(|error| bank::name(&error), |()| "ok".to_string());
    println!("outcome: {outcome}{again}; then {then}");
    Ok(())
}

fn closing(folder: &Path, path: &Path, close_it: fn(Bank) -> Result<()>) -> Checked {
    let before = Holdings::now(folder);
    let bank = bank::open(path).map_err(|error| error.to_string())?;
    let result = between(|| close_it(bank));
    nothing_left(folder, &before)?;
    let again = reopen(path)?;
    check(bank::state(&again)? == OLD, "committed data are gone")?;
    close(again)?;
    let outcome = result.map_or_else(|error| bank::name(&error), |()| "ok".to_string());
    println!("outcome: {outcome}; then new");
    Ok(())
}
