//! The verbs in their order. This case must also run.

use indelible::{Link, Persistent, Region, Word};

#[derive(Persistent)]
#[repr(C)]
struct Account {
    id: u64,
    balance: Word<i64>,
    next: Link<Account>,
}

#[derive(Persistent)]
#[repr(C)]
struct Bank {
    accounts: Link<Account>,
    count: Word<u64>,
}

fn main() -> indelible::Result<()> {
    let mut bank = Region::new(1 << 20, Bank { accounts: Link::null(), count: Word::new(0) })?;
    bank.transact(|tx, root| {
        let mut account = tx.alloc(Account { id: 7, balance: Word::new(100), next: Link::null() })?;
        tx.attach(&mut account, |account| &account.next, tx.take(&root.accounts));
        let account = tx.flush(account);
        let account = tx.fence(account)?;
        tx.publish(&root.accounts, account);
        tx.store(&root.count, tx.load(&root.count) + 1);
        Ok(())
    })?;
    let account = bank.root().accounts.get().expect("published above");
    assert_eq!((account.id, account.balance.get(), bank.root().count.get()), (7, 100, 1));
    Ok(())
}
