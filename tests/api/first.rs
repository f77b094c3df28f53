//! A first walk through the crate: regions in memory and in a file, transactions, reopening.

use indelible::*;

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

#[derive(Persistent)]
#[repr(C)]
struct Node<T, const N: usize> {
    items: [T; N],
    next: Link<Node<T, N>>,
}

#[derive(Persistent, Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
enum Colour {
    Red = 1,
    Green = 7,
}

#[test]
fn first() -> Result<()> {
    let mut bank = Region::new(1 << 20, Bank { accounts: Link::null(), count: Word::new(0) })?;
    for i in 0..1000 {
        bank.transact(|tx, root| {
            let mut account = tx.alloc(Account { id: i, balance: Word::new(100), next: Link::null() })?;
            tx.attach(&mut account, |a| &a.next, tx.take(&root.accounts));
            let account = tx.flush(account);
            let account = tx.fence(account)?;
            tx.publish(&root.accounts, account);
            tx.store(&root.count, tx.load(&root.count) + 1);
            Ok(())
        })?;
    }
    assert_eq!(bank.root().count.get(), 1000);
    let mut n = 0;
    let mut at = &bank.root().accounts;
    while let Some(a) = at.get() {
        n += 1;
        assert_eq!(a.id, 1000 - n);
        at = &a.next;
    }
    assert_eq!(n, 1000);
    println!("{:?}", bank.usage()?);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    {
        // SAFETY: the file is this test's own.
        let mut r = unsafe {
            Region::<Node<Word<u64>, 3>, medium::Auto>::create(
                &path,
                1 << 20,
                Node { items: [Word::new(1), Word::new(2), Word::new(3)], next: Link::null() },
            )?
        };
        println!("{}", r.medium());
        r.transact(|tx, root| {
            tx.store(&root.items[1], 9);
            tx.store(&root.items[2], 8);
            Ok(())
        })?;
        let n = r.transact(|tx, root| {
            let n =
                tx.alloc(Node { items: [Word::new(1), Word::new(2), Word::new(3)], next: Link::null() })?;
            let n = tx.flush(n);
            tx.stage(&root.next, n);
            Ok(5)
        })?;
        assert_eq!(n, 5);
        assert!(matches!(
            // SAFETY: the file is this test's own.
            unsafe { Region::<Node<Word<u64>, 3>, medium::Auto>::open(&path) },
            Err(Error::Locked { .. })
        ));
    }
    // SAFETY: the file is this test's own.
    let r = unsafe { Region::<Node<Word<u64>, 3>, medium::Auto>::open(&path)? };
    assert_eq!(r.root().items[1].get(), 9);
    assert_eq!(r.root().next.get().unwrap().items[1].get(), 2);
    println!("{:?}", r.usage()?);
    drop(r);
    // SAFETY: the file is this test's own.
    let other = unsafe { Region::<Node<Word<Colour>, 3>, medium::Auto>::open(&path) };
    assert!(matches!(other, Err(Error::SchemaMismatch { .. })));
    Ok(())
}
