//! A program whose types have changed: it makes a region with the old ones, shows what opening it with the new
//! ones answers, migrates it, and checks what is there afterwards.
//!
//! ```text
//! cargo run --release --example migrate
//! ```

use indelible::medium::{Auto, MemoryFileSystem, Snapshot};
use indelible::{Error, Link, Options, Persistent, Region, Result, Word};
use std::path::Path;

/// What the program stored in its first version.
mod v1 {
    use super::*;

    // ANCHOR: old
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
        pub founded: u64,
    }
    // ANCHOR_END: old
}

// ANCHOR: new
#[derive(Persistent)]
#[repr(C)]
struct Account {
    id: u64,
    balance: Word<i64>, // it was an i32
    next: Link<Account>,
}

#[derive(Persistent)]
#[repr(C)]
struct Bank {
    accounts: Link<Account>,
    founded: u64,
    count: Word<u64>, // new
}
// ANCHOR_END: new

const LEN: u64 = 1 << 20;

/// An example may live on a file system in memory.
fn options() -> Options {
    Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs)
}

fn create_old(path: &Path) -> Result<()> {
    let root = v1::Bank { accounts: Link::null(), founded: 1472 };
    // SAFETY: the file is in a folder of this program's own.
    let mut bank = unsafe { options().create::<_, Auto>(path, LEN, root)? };
    for id in 0..3 {
        bank.transact(|tx, root| {
            let balance = Word::new(100 * id as i32);
            let mut account = tx.alloc(v1::Account { id, balance, next: Link::null() })?;
            tx.attach(&mut account, |account| &account.next, tx.take(&root.accounts));
            tx.publish(&root.accounts, tx.persist(account)?);
            Ok(())
        })?;
    }
    bank.close()
}

// ANCHOR: migrate
fn open_or_migrate(path: &Path, kept: &Path) -> Result<Region<Bank, Auto>> {
    let root = |old: &v1::Bank| Bank { accounts: Link::null(), founded: old.founded, count: Word::new(0) };
    // SAFETY: nothing else writes or truncates this file while the region is open.
    unsafe { options().keep_old(kept).migrate(path, LEN, root, copy_accounts) }
}

fn copy_accounts(old: &v1::Bank, new: &mut Region<Bank, Auto>) -> Result<()> {
    let mut next = &old.accounts;
    while let Some(account) = next.get() {
        new.transact(|tx, root| {
            let balance = Word::new(account.balance.get().into());
            let mut copy = tx.alloc(Account { id: account.id, balance, next: Link::null() })?;
            tx.attach(&mut copy, |copy| &copy.next, tx.take(&root.accounts));
            tx.publish(&root.accounts, tx.persist(copy)?);
            tx.store(&root.count, tx.load(&root.count) + 1);
            Ok(())
        })?;
        next = &account.next;
    }
    Ok(())
}
// ANCHOR_END: migrate

/// What opening the old file with the new types answers.
fn mismatch(path: &Path) -> Error {
    // SAFETY: the file is in a folder of this program's own.
    match unsafe { options().open::<Bank, Auto>(path) } {
        Err(error @ Error::SchemaMismatch { .. }) => error,
        other => panic!("it was made with other types: {other:?}"),
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let (path, kept) = (folder.path().join("bank.pm"), folder.path().join("bank.v1.pm"));
    create_old(&path)?;
    println!("{}\n", mismatch(&path));

    let bank = open_or_migrate(&path, &kept)?;
    let root = bank.root();
    assert_eq!((root.count.get(), root.founded), (3, 1472));
    let mut found = Vec::new();
    let mut next = &root.accounts;
    while let Some(account) = next.get() {
        found.push((account.id, account.balance.get()));
        next = &account.next;
    }
    assert_eq!(found, [(0, 0), (1, 100), (2, 200)]);
    bank.close()?;

    // A second time there is nothing to do.
    assert_eq!(open_or_migrate(&path, &kept)?.root().count.get(), 3);

    // SAFETY: the file is in a folder of this program's own.
    let old = unsafe { options().open::<v1::Bank, Snapshot>(&kept)? };
    assert_eq!(old.root().accounts.get().map(|account| account.id), Some(2));
    println!("3 accounts migrated; the old file is kept");
    Ok(())
}

#[test]
fn the_program_runs() {
    main().expect("it checks itself");
}

#[test]
fn the_book_shows_the_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bank.pm");
    create_old(&path).expect("room");
    let text = mismatch(&path).to_string().replace(&folder.path().display().to_string(), "/data");
    let shown = Path::new(env!("CARGO_MANIFEST_DIR")).join("book/src/generated/schema_mismatch.txt");
    if std::env::var_os("INDELIBLE_BLESS").is_some() {
        std::fs::write(&shown, format!("{text}\n")).expect("the page's own");
    }
    assert_eq!(std::fs::read_to_string(&shown).expect("it is there").trim_end(), text);
}
