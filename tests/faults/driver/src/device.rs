//! A disk that fails: each write to it does, and each read gives what was there before. The region's own
//! file system is in a file that shares its blocks with a copy, on a file system that is full, so that no
//! block of it can be replaced. `tests/faults/run` makes it so, and lets it recover.

use crate::bank::{self, Bank, OLD, state};
use indelible::Error;
use std::path::Path;

type Checked<T = ()> = Result<T, String>;

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// `prepare` on the healthy disk; `fill` makes it fail; `lone` and the like commit there, and open the region again
/// when the disk is well; `check` after the file system was mounted anew.
pub fn run(step: &str, folder: &Path) -> Checked {
    let path = folder.join("region");
    match step {
        "prepare" => {
            bank::fixture(&path).and_then(Bank::close).and_then(|()| raw::make(folder)).map_err(text)
        }
        "fill" => crate::disk::fill(&folder.join("filler")),
        "lone" | "record" | "publish" | "close" => fail(step, &path),
        "raw" => raw::fail(folder),
        "check-raw" => raw::show(folder),
        "check" => {
            let bank = bank::open(&path).map_err(text)?;
            println!("state: {:?}", state(&bank)?);
            Ok(())
        }
        _ => Err("no such step".to_string()),
    }
}

/// Waits for `run` to change the disk.
fn ask_for(what: &str) -> Checked {
    println!("{what}");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(text)?;
    if line.trim() == what { Ok(()) } else { Err(format!("the disk is not {what}")) }
}

fn fail(what: &str, path: &Path) -> Checked {
    let mut bank = bank::open(path).map_err(text)?;
    if state(&bank)? != OLD {
        return Err(format!("begins as {:?}", state(&bank)));
    }
    ask_for("sick")?;
    let result = match what {
        "lone" => bank::write_lone(&mut bank, 2),
        "record" => bank::write_pair(&mut bank, 2),
        "publish" => bank::write_all(&mut bank, 100, 2),
        _ => Ok(()),
    };
    let error = match (result, bank.close()) {
        (Err(error), Err(_)) => error,
        (Ok(()), Err(error)) if what == "close" => error,
        (Ok(()), _) => return Err("it succeeds on a failed disk".to_string()),
        (Err(_), Ok(())) => return Err("a poisoned region is closed as if it were well".to_string()),
    };
    if !matches!(error, Error::Poisoned { .. } | Error::OutcomeUnknown { .. }) {
        return Err(format!("not poisoned: {error}"));
    }
    println!("# {what}: {error}");
    ask_for("well")?;
    // In the same kernel: what it shows is in memory, and need not be on the disk.
    let bank = bank::open(path).map_err(text)?;
    println!("state: {:?}", state(&bank)?);
    // It was shown, and so it must stay.
    bank.close().map_err(text)
}

/// A raw mapping. Where a region has its in-use mark, this file has zeros, which say nothing.
mod raw {
    use super::{Checked, ask_for, text};
    use indelible::mapping::Mapping;
    use indelible::medium::PageCache;
    use indelible::{Error, Result};
    use std::path::Path;

    const LEN: u64 = 64 << 10;
    /// A word of it, and another page's.
    const WORDS: [std::ops::Range<usize>; 2] = [0..8, 0x8000..0x8008];

    fn open(folder: &Path) -> Result<Mapping<PageCache>> {
        // SAFETY: the file is in a folder of this run's own.
        unsafe { Mapping::open(folder.join("raw")) }
    }

    fn write(mapping: &mut Mapping<PageCache>, value: u64) -> Result<()> {
        let [one, other] = mapping.parts(WORDS)?;
        Mapping::fence([one.store(value), other.store(value)]).map(drop)
    }

    pub fn make(folder: &Path) -> Result<()> {
        // SAFETY: as above.
        let mut mapping = unsafe { Mapping::create(folder.join("raw"), LEN, |_| Ok(()))? };
        write(&mut mapping, 1)?;
        mapping.close()
    }

    pub fn show(folder: &Path) -> Checked {
        let mapping = open(folder).map_err(text)?;
        println!("state: {:?}", WORDS.map(|word| mapping.bytes()[word].to_vec()));
        mapping.close().map_err(text)
    }

    pub fn fail(folder: &Path) -> Checked {
        let mut mapping = open(folder).map_err(text)?;
        ask_for("sick")?;
        match write(&mut mapping, 2) {
            Err(error @ Error::Poisoned { .. }) => println!("# raw: {error}"),
            Err(error) => return Err(format!("not poisoned: {error}")),
            Ok(()) => return Err("it succeeds on a failed disk".to_string()),
        }
        drop(mapping);
        ask_for("well")?;
        // In the same kernel, whose page cache has what the device never took.
        show(folder)
    }
}
