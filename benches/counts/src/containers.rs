//! As `main.rs`, for containers. A program of its own: what the compiler inlines in one kind of work
//! depends on the others.

mod rounds;

use indelible::collections::{BTreeMap, Log};
use indelible::{Options, Persistent, Result};
use rounds::Rounds;

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    log: Log,
    tree: BTreeMap<u64, [u8; 100]>,
}

/// Entries of the tree.
const ENTRIES: u64 = 1_000;

/// Another value for a key that is there.
fn update(rounds: Rounds) -> Result<()> {
    let mut region = Options::new().max_len(1 << 30).emulated(8 << 20, Root::default())?;
    let mut round = |n: u64| {
        let (key, value) = (n * 37 % ENTRIES, [n as u8; 100]);
        region.transact(|tx, root| root.tree.insert(tx, &key, &value).map(drop))
    };
    (0..ENTRIES).try_for_each(&mut round)?;
    rounds.run(round)
}

/// As many records at once.
fn append(rounds: Rounds, count: usize) -> Result<()> {
    // The address space that Valgrind leaves is small.
    let mut region = Options::new().max_len(1 << 30).emulated(8 << 20, Root::default())?;
    region.transact(|tx, root| root.log.create(tx, 5 << 20))?;
    let mut round = |n: u64| {
        let record = [n as u8; 128];
        region.transact(|tx, root| root.log.append_all(tx, std::iter::repeat_n(&record[..], count)))?;
        Ok(())
    };
    (0..3).try_for_each(&mut round)?; // in which the buffers get their size
    rounds.run(round)
}

fn main() -> Result<()> {
    let rounds = Rounds::from_arguments();
    match &rounds.work[..] {
        "append" => append(rounds, 1),
        "append-16" => append(rounds, 16),
        "tree-update" => update(rounds),
        work => panic!("there is no work {work}"),
    }
}
