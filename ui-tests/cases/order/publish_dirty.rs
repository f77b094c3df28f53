//! The account is published while its bytes may still be in the CPU caches.

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
}

fn main() -> indelible::Result<()> {
    let mut bank = Region::new(1 << 20, Bank { accounts: Link::null() })?;
    bank.transact(|tx, root| {
        let account = tx.alloc(Account { id: 7, balance: Word::new(100), next: Link::null() })?;
        tx.publish(&root.accounts, account);
        Ok(())
    })
}
