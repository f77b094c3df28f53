//! The region that the tests read and migrate, in its old types and its new ones, and a folder for it.

use indelible::medium::{FileMedium, PageCache, Writable};
use indelible::{Link, Options, Persistent, Region, Result, Word};
pub use indelible_test_support::bank::{Account, LEN, open, options};
use indelible_test_support::folder;
use std::path::{Path, PathBuf};

/// What the program stored once.
pub mod old {
    use super::*;

    #[derive(Persistent)]
    #[repr(C)]
    pub struct Account {
        pub id: u64,
        pub balance: Word<i32>,
        pub next: Link<Account>,
    }

    #[derive(Persistent)]
    #[repr(C)]
    pub struct Bank {
        pub accounts: Link<Account>,
        pub count: Word<u64>,
        pub founded: u64,
    }
}

/// What it stores now: wider balances, and names.
#[derive(Persistent)]
#[repr(C)]
pub struct Bank {
    pub accounts: Link<Account>,
    pub count: Word<u64>,
    pub total: Word<i64>,
    pub founded: u64,
}

pub fn create_old(path: &Path) -> Region<old::Bank, PageCache> {
    let root = old::Bank { accounts: Link::null(), count: Word::new(0), founded: 1472 };
    // SAFETY: the file is in a folder of the test's own.
    unsafe { options().create(path, LEN, root) }.expect("room on the disk")
}

/// A closed region of the old types, with this many accounts: number `id` has `100 + id`.
pub fn old_bank(path: &Path, accounts: u64) {
    let mut bank = create_old(path);
    for id in 0..accounts {
        deposit(&mut bank, id).expect("a good disk");
    }
    bank.close().expect("a good disk");
}

pub fn deposit(bank: &mut Region<old::Bank, PageCache>, id: u64) -> Result<()> {
    bank.transact(|tx, root| {
        let balance = Word::new(100 + id as i32);
        let mut account = tx.alloc(old::Account { id, balance, next: Link::null() })?;
        tx.attach(&mut account, |account| &account.next, tx.take(&root.accounts));
        tx.publish(&root.accounts, tx.persist(account)?);
        tx.store(&root.count, tx.load(&root.count) + 1);
        Ok(())
    })
}

pub fn new_root(old: &old::Bank) -> Bank {
    Bank { accounts: Link::null(), count: Word::new(0), total: Word::new(0), founded: old.founded }
}

/// Carries every account over, each in a transaction of its own.
pub fn fill<M: FileMedium + Writable>(old: &old::Bank, new: &mut Region<Bank, M>) -> Result<()> {
    let mut next = &old.accounts;
    while let Some(account) = next.get() {
        new.transact(|tx, root| {
            let balance = i64::from(account.balance.get());
            let name = tx.flush(tx.alloc_str(&format!("account {}", account.id))?);
            let mut copy = tx.alloc(Account {
                id: account.id,
                balance: Word::new(balance),
                next: Link::null(),
                name: Link::null(),
            })?;
            tx.attach(&mut copy, |copy| &copy.name, name);
            tx.attach(&mut copy, |copy| &copy.next, tx.take(&root.accounts));
            tx.publish(&root.accounts, tx.persist(copy)?);
            tx.store(&root.count, tx.load(&root.count) + 1);
            tx.store(&root.total, tx.load(&root.total) + balance);
            Ok(())
        })?;
        next = &account.next;
    }
    Ok(())
}

pub fn migrate<M: FileMedium + Writable>(options: &Options, path: &Path) -> Result<Region<Bank, M>> {
    migrate_with(options, path, LEN, new_root, fill)
}

/// [`migrate`], with a root and contents of the test's own.
pub fn migrate_with<A: Persistent, R: Persistent, M: FileMedium + Writable>(
    options: &Options,
    path: &Path,
    len: u64,
    root: impl FnOnce(&A) -> R,
    fill: impl FnOnce(&A, &mut Region<R, M>) -> Result<()>,
) -> Result<Region<R, M>> {
    // SAFETY: as in `create_old`.
    unsafe { options.migrate(path, len, root, fill) }
}

/// The old types, and all that [`old_bank`] put there.
#[track_caller]
pub fn assert_old<M: FileMedium>(path: &Path, accounts: u64) {
    let bank = open::<old::Bank, M>(path).expect("the old region is whole");
    let root = bank.root();
    assert_eq!((root.count.get(), root.founded), (accounts, 1472));
    let mut link = &root.accounts;
    for id in (0..accounts).rev() {
        let account = link.get().expect("no account is missing");
        assert_eq!((account.id, account.balance.get()), (id, 100 + id as i32));
        link = &account.next;
    }
    assert!(link.get().is_none());
}

#[track_caller]
pub fn assert_new<M: FileMedium>(path: &Path, accounts: u64) {
    check_new(&open::<Bank, M>(path).expect("the new region is whole"), accounts);
}

#[track_caller]
pub fn check_new<M: FileMedium>(bank: &Region<Bank, M>, accounts: u64) {
    let root = bank.root();
    let total: i64 = (0..accounts as i64).map(|id| 100 + id).sum();
    assert_eq!((root.count.get(), root.total.get(), root.founded), (accounts, total, 1472));
    let mut link = &root.accounts;
    for id in 0..accounts {
        let account = link.get().expect("no account is missing");
        assert_eq!((account.id, account.balance.get()), (id, 100 + id as i64));
        assert_eq!(account.name.get(), Some(format!("account {id}").as_str()));
        link = &account.next;
    }
    assert!(link.get().is_none());
}

/// A folder of the test's own, on the disk that cargo builds on.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Folder(folder::inside(env!("CARGO_TARGET_TMPDIR")))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The names in it, in order.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path())
            .expect("the test's own")
            .map(|entry| entry.expect("a listed file").file_name().into_string().expect("a test's name"))
            .collect();
        names.sort();
        names
    }
}

/// The error is of this kind.
macro_rules! assert_error {
    ($result:expr, $pattern:pat $(if $guard:expr)? $(,)?) => {
        match $result {
            Err($pattern) $(if $guard)? => {}
            Err(other) => panic!("another error was expected than {other:?}"),
            Ok(_) => panic!("it was not refused"),
        }
    };
}
pub(crate) use assert_error;
