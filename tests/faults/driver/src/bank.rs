//! The region of all scenarios, and the states that it may be found in.

use indelible::{Error, Link, Options, Persistent, Region, Result, Word, medium::PageCache};
use std::path::Path;

#[derive(Persistent)]
#[repr(C)]
pub struct Root {
    pub left: Word<u64>,
    pub right: Word<u64>,
    pub lone: Word<u64>,
    pub history: Link<[u64]>,
}

pub type Bank = Region<Root, PageCache>;

/// The root before there was `lone`.
#[derive(Persistent)]
#[repr(C)]
pub struct OldRoot {
    pub left: Word<u64>,
    pub right: Word<u64>,
    pub history: Link<[u64]>,
}

/// Bytes of a new region.
pub const LEN: u64 = 1 << 18;

/// Everything in the region. The history is as many times one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    pub words: [u64; 3],
    pub history: (usize, u64),
}

/// What `create` is given.
pub const NEW: State = State { words: [1, 1, 1], history: (0, 0) };
/// What a finished fixture holds.
pub const OLD: State = State { words: [1, 1, 1], history: (64, 1) };

/// After the migration of a region in state [`OLD`].
pub const MIGRATED: State = State { words: [1, 1, 7], history: OLD.history };

pub fn root() -> Root {
    Root { left: Word::new(1), right: Word::new(1), lone: Word::new(1), history: Link::null() }
}

pub fn open(path: &Path) -> Result<Bank> {
    // SAFETY: the file is in a folder of this run's own.
    unsafe { Options::new().open(path) }
}

pub fn create(path: &Path, len: u64) -> Result<Bank> {
    // SAFETY: as above.
    unsafe { Options::new().create(path, len, root()) }
}

pub fn open_or_create(path: &Path) -> Result<Bank> {
    // SAFETY: as above.
    unsafe { Options::new().open_or_create(path, LEN, root) }
}

/// A region of the older type, in state [`OLD`].
pub fn older_fixture(path: &Path) -> Result<()> {
    let root = OldRoot { left: Word::new(1), right: Word::new(1), history: Link::null() };
    // SAFETY: as above.
    let mut bank = unsafe { Region::<OldRoot, PageCache>::create(path, LEN, root)? };
    bank.transact(|tx, root| {
        let history = tx.alloc_slice_with(OLD.history.0, |_| OLD.history.1)?;
        tx.publish(&root.history, tx.persist(history)?);
        Ok(())
    })?;
    bank.close()
}

/// The state of a region of the older type, as if it had `lone`.
pub fn older_state(path: &Path) -> Result<State> {
    // SAFETY: as above.
    let bank = unsafe { Region::<OldRoot, PageCache>::open(path)? };
    let root = bank.root();
    let history = root.history.get().unwrap_or(&[]);
    let state = State {
        words: [root.left.get(), root.right.get(), OLD.words[2]],
        history: (history.len(), history.first().copied().unwrap_or(0)),
    };
    bank.close()?;
    Ok(state)
}

fn migrate_with(path: &Path, options: &Options) -> Result<Bank> {
    let word = |word: &Word<u64>| Word::new(word.get());
    let root = |old: &OldRoot| Root {
        left: word(&old.left),
        right: word(&old.right),
        lone: Word::new(MIGRATED.words[2]),
        history: Link::null(),
    };
    let fill = |old: &OldRoot, new: &mut Bank| {
        let history = old.history.get().unwrap_or(&[]);
        write_history(new, history.len(), history.first().copied().unwrap_or(0))
    };
    // SAFETY: as above.
    unsafe { options.migrate::<OldRoot, Root, PageCache>(path, LEN, root, fill) }
}

/// From the older type to the newer.
pub fn migrate(path: &Path) -> Result<Bank> {
    migrate_with(path, &Options::new())
}

/// The same, and the older file stays beside it.
pub fn migrate_and_keep(path: &Path) -> Result<Bank> {
    migrate_with(path, &Options::new().keep_old(path.with_file_name(KEPT)))
}

/// What the older file is called then.
pub const KEPT: &str = "kept";

/// The state, or what is wrong with it.
pub fn state(bank: &Bank) -> Result<State, String> {
    let root = bank.try_root().map_err(|error| error.to_string())?;
    let history = root.history.get().unwrap_or(&[]);
    let first = history.first().copied().unwrap_or(0);
    if history.iter().any(|&value| value != first) {
        return Err("a history of several numbers".to_string());
    }
    Ok(State { words: [root.left.get(), root.right.get(), root.lone.get()], history: (history.len(), first) })
}

/// A whole region at `path` with state [`OLD`].
pub fn fixture(path: &Path) -> Result<Bank> {
    let mut bank = create(path, LEN)?;
    write_history(&mut bank, OLD.history.0, OLD.history.1)?;
    Ok(bank)
}

/// Replaces the history.
pub fn write_history(bank: &mut Bank, len: usize, value: u64) -> Result<()> {
    bank.transact(|tx, root| {
        let history = tx.alloc_slice_with(len, |_| value)?;
        tx.free(tx.replace(&root.history, tx.persist(history)?));
        Ok(())
    })
}

/// Two words, and so a record.
pub fn write_pair(bank: &mut Bank, value: u64) -> Result<()> {
    bank.transact(|tx, root| {
        tx.store(&root.left, value);
        tx.store(&root.right, value);
        Ok(())
    })
}

/// One word.
pub fn write_lone(bank: &mut Bank, value: u64) -> Result<()> {
    bank.transact(|tx, root| {
        tx.store(&root.lone, value);
        Ok(())
    })
}

/// New objects and words, all in one transaction.
pub fn write_all(bank: &mut Bank, len: usize, value: u64) -> Result<()> {
    bank.transact(|tx, root| {
        let history = tx.alloc_slice_with(len, |_| value)?;
        tx.free(tx.replace(&root.history, tx.persist(history)?));
        tx.store(&root.left, value);
        tx.store(&root.right, value);
        Ok(())
    })
}

/// The variant of an error, with the facts that tell system calls apart.
pub fn name(error: &Error) -> String {
    match error {
        Error::Io { op, .. } => format!("Io({op})"),
        other => {
            let text = format!("{other:?}");
            text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_string()
        }
    }
}
