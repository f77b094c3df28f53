//! A disk that runs full, with a region open on it. A `SIGBUS` would end this process, and that is noticed.

use crate::bank::{self, Bank, NEW, OLD, state};
use crate::process::names;
use indelible::{Error, Result};
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

const MIB: u64 = 1 << 20;

type Checked<T = ()> = Result<T, String>;

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Prints what an attempt came to, which must be a full disk.
fn full<X>(what: &str, result: Result<X>) -> Checked {
    match result {
        Ok(_) => Err(format!("{what}: it succeeds on a full disk")),
        Err(error @ Error::DiskFull { .. }) => {
            println!("  {what}: {}", bank::name(&error));
            Ok(())
        }
        Err(error) => Err(format!("{what}: {error}")),
    }
}

pub fn run(folder: &Path) -> Checked {
    let (path, new, sparse, filler) =
        (folder.join("region"), folder.join("new"), folder.join("sparse"), folder.join("filler"));
    full("create a region that is larger than the disk", bank::create(&new, 1 << 39))?;
    bank::fixture(&path).and_then(Bank::close).map_err(text)?;
    std::fs::copy(&path, &sparse).map_err(text)?;
    File::options().write(true).open(&sparse).and_then(|file| file.set_len(8 * MIB)).map_err(text)?;
    let mut bank = bank::open(&path).map_err(text)?;
    fill(&filler)?;

    let there = names(folder);
    full("create", bank::create(&new, 4 * MIB))?;
    full("open a copy with holes", bank::open(&sparse))?;
    full("grow", bank::write_history(&mut bank, MIB as usize, 3))?;
    if names(folder) != there {
        return Err(format!("names afterwards: {:?}", names(folder)));
    }
    if state(&bank)? != OLD || path.metadata().map_err(text)?.len() != bank.len() {
        return Err(format!("after growth failed: {:?} in {} bytes", state(&bank), bank.len()));
    }
    // Every byte of an open region has its block.
    for value in 4..100 {
        bank::write_history(&mut bank, 4_000, value).map_err(text)?;
        bank::write_pair(&mut bank, value).map_err(text)?;
    }
    println!("  commit without growth, and close, on the full disk: ok");
    bank.close().map_err(text)?;

    std::fs::remove_file(&filler).map_err(text)?;
    let mut bank = bank::open(&path).map_err(text)?;
    if state(&bank)?.history != (4_000, 99) {
        return Err(format!("reopened as {:?}", state(&bank)));
    }
    bank::write_history(&mut bank, MIB as usize / 8, 100).map_err(text)?;
    bank.close().map_err(text)?;
    let copy = bank::open(&sparse).map_err(text)?;
    let metadata = sparse.metadata().map_err(text)?;
    if state(&copy)? != OLD || metadata.blocks() * 512 < metadata.len() {
        return Err("the copy has holes still".to_string());
    }
    copy.close().map_err(text)?;
    let new = bank::create(&new, MIB).map_err(text)?;
    if state(&new)? != NEW {
        return Err("a new region".to_string());
    }
    new.close().map_err(text)?;
    println!("  with room again, grow, open the copy, create: ok");
    Ok(())
}

/// Takes all room that is left.
pub fn fill(path: &Path) -> Checked {
    let file = File::create(path).map_err(text)?;
    let (mut at, mut step) = (0, 64 * MIB);
    while step >= 4096 {
        let flags = rustix::fs::FallocateFlags::empty();
        match rustix::fs::fallocate(&file, flags, at, step) {
            Ok(()) => at += step,
            Err(_) => step /= 2,
        }
    }
    // What an allocator keeps back for its own metadata, it gives to small files perhaps.
    let block = [1; 4096];
    while file.write_all_at(&block, at).and_then(|()| file.sync_all()).is_ok() {
        at += 4096;
    }
    Ok(())
}

/// A limit on the size of files (`ulimit -f`), whose signal is not handled.
pub fn limit(folder: &Path) -> Checked {
    let path = folder.join("region");
    full("create beyond `ulimit -f`", bank::create(&folder.join("new"), 64 * MIB))?;
    let mut bank = bank::fixture(&path).map_err(text)?;
    full("grow beyond `ulimit -f`", bank::write_history(&mut bank, 8 * MIB as usize, 3))?;
    bank::write_history(&mut bank, 1 << 16, 4).map_err(text)?;
    bank.close().map_err(text)?;
    println!("  grow within it: ok");
    Ok(())
}
