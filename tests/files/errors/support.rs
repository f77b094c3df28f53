//! The region that the tests spoil, the ways to open it, and [`refused`]: an attempt that must fail and
//! must leave no trace.

use crate::{snapshot, state::State};
use indelible::medium::{Auto, FileMedium, PageCache, Writable};
use indelible::{Error, Link, Persistent, Region, Result, Word};
pub use indelible_test_support::bank::{Account, LEN, open, options};
use indelible_test_support::{folder, image::Image};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Persistent)]
#[repr(C)]
pub struct Bank {
    pub accounts: Link<Account>,
    pub count: Word<u64>,
    pub frozen: Word<bool>,
    pub founded: u64,
    pub history: Link<[u64]>,
}

pub fn empty_bank() -> Bank {
    Bank {
        accounts: Link::null(),
        count: Word::new(0),
        frozen: Word::new(false),
        founded: 1472,
        history: Link::null(),
    }
}

pub fn create<M: FileMedium + Writable>(path: &Path, len: u64) -> Result<Region<Bank, M>> {
    // SAFETY: the file is the test's own, and tests run one at a time.
    unsafe { options().create(path, len, empty_bank()) }
}

pub fn open_or_create<R: Persistent, M: FileMedium + Writable>(
    path: &Path,
    root: impl FnOnce() -> R,
) -> Result<Region<R, M>> {
    // SAFETY: as in `create`.
    unsafe { options().open_or_create(path, LEN, root) }
}

/// A closed region with three accounts, each with a name, and a history of several pages.
pub fn bank(path: &Path) -> Image {
    let mut bank = create::<PageCache>(path, LEN).expect("a good region");
    fill(&mut bank).expect("it has room");
    bank.close().expect("a good disk");
    // An open retires the records of before, which would put right what a test spoils.
    open::<Bank, PageCache>(path).and_then(Region::close).expect("good");
    Image::read(path)
}

pub fn fill(bank: &mut Region<Bank, PageCache>) -> Result<()> {
    for id in 0..3 {
        bank.transact(|tx, root| {
            let name = tx.alloc_str(["Lorenzo", "Giuliano", "Cosimo"][id as usize])?;
            let name = tx.flush(name);
            let mut account =
                tx.alloc(Account { id, balance: Word::new(100), next: Link::null(), name: Link::null() })?;
            tx.attach(&mut account, |account| &account.name, name);
            tx.attach(&mut account, |account| &account.next, tx.take(&root.accounts));
            tx.publish(&root.accounts, tx.persist(account)?);
            tx.store(&root.count, tx.load(&root.count) + 1);
            Ok(())
        })?;
    }
    bank.transact(|tx, root| {
        let history = tx.alloc_slice(&[7_u64; 2000])?;
        tx.publish(&root.history, tx.persist(history)?);
        Ok(())
    })
}

/// Whether the region at `path` opens and holds what [`bank`] put there.
#[track_caller]
pub fn assert_good(path: &Path) {
    let bank = open::<Bank, PageCache>(path).expect("a good region opens");
    assert_eq!((bank.root().count.get(), bank.root().frozen.get()), (3, false));
    let mut ids = Vec::new();
    let mut link = &bank.root().accounts;
    while let Some(account) = link.get() {
        ids.push(account.id);
        link = &account.next;
    }
    assert_eq!(ids, [2, 1, 0]);
    assert_eq!(bank.root().history.get().map(<[u64]>::len), Some(2000));
}

/// A folder of the test's own. While it exists no other test runs: they all count open files.
pub struct Folder {
    path: PathBuf,
    _own: Option<tempfile::TempDir>,
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::new(());

impl Folder {
    /// On the disk that cargo builds on.
    pub fn new() -> Self {
        Self::inside(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    /// Where other users may look too.
    pub fn public() -> Self {
        let folder = Self::inside(&std::env::temp_dir());
        folder.set_mode("", 0o755);
        folder
    }

    /// On a `tmpfs`, if there is one.
    pub fn in_memory() -> Option<Self> {
        let found = rustix::fs::statfs("/dev/shm").is_ok_and(|stat| stat.f_type == 0x0102_1994);
        found.then(|| Self::inside(Path::new("/dev/shm")))
    }

    /// For tests with very many files: in memory if possible.
    pub fn fast() -> Self {
        Self::in_memory().unwrap_or_else(Self::new)
    }

    /// One that another process made.
    pub fn at(path: PathBuf) -> Self {
        Folder { path, _own: None, _alone: alone() }
    }

    fn inside(parent: &Path) -> Self {
        let alone = alone();
        let own = folder::inside(parent);
        Folder { path: own.path().to_path_buf(), _own: Some(own), _alone: alone }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A file with these bytes.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, bytes).expect("the test's own folder");
        path
    }

    pub fn set_mode(&self, name: &str, mode: u32) {
        std::fs::set_permissions(self.join(name), PermissionsExt::from_mode(mode)).expect("the test's own");
    }
}

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `attempt`, which must fail with a text that contains `advice`, and shows that it changed nothing:
/// not the folder, its files and their locks, and not this process's open files and mappings.
#[track_caller]
pub fn refused<T>(folder: &Folder, case: &str, advice: &str, attempt: impl FnOnce() -> Result<T>) -> Error {
    let before = State::of(folder.path());
    let error = match attempt() {
        Ok(_) => panic!("{case}: it was not refused"),
        Err(error) => error,
    };
    State::of(folder.path()).assert_same(&before, case);
    let text = error.to_string();
    assert!(text.contains(advice), "{case}: no {advice:?} in: {text}");
    snapshot::check(case, &error, folder.path());
    error
}

/// [`refused`], by every way to open the file with root type `R`, with the same text.
#[track_caller]
pub fn refused_to_open<R: Persistent>(folder: &Folder, case: &str, advice: &str, path: &Path) -> Error {
    let no_root = || -> R { panic!("nothing is to be created") };
    let refused = |attempt: &dyn Fn() -> Result<()>| refused(folder, case, advice, attempt);
    refused(&|| open::<R, Auto>(path).map(drop));
    refused(&|| open_or_create::<R, Auto>(path, no_root).map(drop));
    refused(&|| open_or_create::<R, PageCache>(path, no_root).map(drop));
    refused(&|| open::<R, PageCache>(path).map(drop))
}

/// The error is of this kind.
macro_rules! assert_error {
    ($error:expr, $pattern:pat $(if $guard:expr)? $(,)?) => {
        match $error {
            $pattern $(if $guard)? => {}
            other => panic!("another error was expected than {other:?}"),
        }
    };
}
pub(crate) use assert_error;

/// Says on standard error, which the test harness does not swallow, how a case was run or why it was not.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "note: {text}");
}
