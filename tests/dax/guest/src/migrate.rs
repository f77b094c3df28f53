//! The ledger of `examples/ledger.rs`, migrated to another root type and back.

use indelible::medium::Auto;
use indelible::{Error, Link, Options, Persistent, Pm, Region, Result, Tx, Word, state::Flushed};
use std::path::Path;

/// As the example has it: it must be able to open what comes back.
#[derive(Persistent, Default)]
#[repr(C)]
struct Ledger {
    accounts: Link<Account>,
    count: Word<u64>,
    rows: Word<u64>,
    checksum: Word<u64>,
}

#[derive(Persistent, Default)]
#[repr(C)]
struct Account {
    hash: u64,
    balance: Word<i64>,
    left: Link<Account>,
    right: Link<Account>,
    name: Link<str>,
}

/// The same in another order, and more.
#[derive(Persistent, Default)]
#[repr(C)]
struct Second {
    rows: Word<u64>,
    checksum: Word<u64>,
    migrations: Word<u64>,
    count: Word<u64>,
    accounts: Link<Account>,
}

const LEN: u64 = 64 << 10;

/// To the second form, or back from it.
pub fn there_or_back(path: &Path) -> Result<()> {
    // SAFETY: nothing else in this machine uses the file.
    match unsafe { Options::new().open::<Ledger, Auto>(path) } {
        Ok(ledger) => ledger.close()?,
        Err(Error::SchemaMismatch { .. }) => return back(path),
        Err(error) => return Err(error),
    }
    let root = |old: &Ledger| Second {
        rows: Word::new(old.rows.get()),
        checksum: Word::new(old.checksum.get()),
        count: Word::new(old.count.get()),
        ..Second::default()
    };
    let fill = |old: &Ledger, new: &mut Region<Second, Auto>| {
        new.transact(|tx, root| {
            tx.stage(&root.accounts, copy(tx, &old.accounts)?);
            tx.store(&root.migrations, 1);
            Ok(())
        })
    };
    // SAFETY: as above.
    unsafe { Options::new().migrate(path, LEN, root, fill) }?.close()
}

/// To the first form, wherever it is.
pub fn back(path: &Path) -> Result<()> {
    let root = |old: &Second| Ledger {
        rows: Word::new(old.rows.get()),
        checksum: Word::new(old.checksum.get()),
        count: Word::new(old.count.get()),
        ..Ledger::default()
    };
    let fill = |old: &Second, new: &mut Region<Ledger, Auto>| {
        assert_eq!(old.migrations.get(), 1, "the second form is not whole");
        new.transact(|tx, root| {
            tx.stage(&root.accounts, copy(tx, &old.accounts)?);
            Ok(())
        })
    };
    // SAFETY: nothing else in this machine uses the file.
    unsafe { Options::new().migrate(path, LEN, root, fill) }?.close()
}

/// A tree of accounts as new objects.
fn copy<'t>(tx: &Tx<'t, Auto>, tree: &Link<Account>) -> Result<Option<Pm<'t, Account, Flushed>>> {
    let Some(old) = tree.get() else { return Ok(None) };
    let balance = Word::new(old.balance.get());
    let mut new = tx.alloc(Account { hash: old.hash, balance, ..Account::default() })?;
    let name = old.name.get().map(|name| tx.alloc_str(name)).transpose()?;
    tx.attach(&mut new, |account| &account.name, tx.flush(name));
    tx.attach(&mut new, |account| &account.left, copy(tx, &old.left)?);
    tx.attach(&mut new, |account| &account.right, copy(tx, &old.right)?);
    Ok(Some(tx.flush(new)))
}
