//! A transaction allocates nothing in DRAM in the steady state: every allocation of the test's own thread is
//! counted, and after some rounds of each kind of transaction there must be none.
//!
//! # Safety
//!
//! The counting allocator hands every call on to the system's, unchanged.

use indelible::collections::Log;
use indelible::medium::Emulated;
use indelible::{Link, Persistent, Region, Result, Tx, Word};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    COUNT.with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to `System` as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Persistent)]
#[repr(C)]
struct Node {
    id: u64,
    value: [u64; 4],
    next: Link<Node>,
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    list: Link<Node>,
    words: [Word<u64>; 64],
    log: Log,
    other: Log,
}

type Body = for<'t> fn(&Tx<'t, Emulated>, &'t Root, u64) -> Result<()>;

fn store<'t>(tx: &Tx<'t, Emulated>, root: &'t Root, n: u64) -> Result<()> {
    tx.store(&root.words[0], n);
    Ok(())
}

fn store_2<'t>(tx: &Tx<'t, Emulated>, root: &'t Root, n: u64) -> Result<()> {
    root.words[..2].iter().for_each(|word| tx.store(word, n));
    Ok(())
}

/// More words than are looked up without a hash.
fn store_64<'t>(tx: &Tx<'t, Emulated>, root: &'t Root, n: u64) -> Result<()> {
    root.words.iter().for_each(|word| tx.store(word, n));
    Ok(())
}

/// The same in no order, so that they are looked up by a hash.
fn store_scattered<'t>(tx: &Tx<'t, Emulated>, root: &'t Root, n: u64) -> Result<()> {
    (0..64).for_each(|i| tx.store(&root.words[i * 37 % 64], n));
    Ok(())
}

fn push<'t>(tx: &Tx<'t, Emulated>, root: &'t Root, n: u64) -> Result<()> {
    let mut node = tx.alloc(Node { id: n, value: [n; 4], next: Link::null() })?;
    tx.attach(&mut node, |node| &node.next, tx.take(&root.list));
    tx.publish(&root.list, tx.persist(node)?);
    Ok(())
}

fn push_staged<'t>(tx: &Tx<'t, Emulated>, root: &'t Root, n: u64) -> Result<()> {
    let mut node = tx.alloc(Node { id: n, value: [n; 4], next: Link::null() })?;
    tx.attach(&mut node, |node| &node.next, tx.take(&root.list));
    tx.stage(&root.list, tx.flush(node));
    Ok(())
}

fn pop<'t>(tx: &Tx<'t, Emulated>, root: &'t Root, _: u64) -> Result<()> {
    let Some(first) = tx.take(&root.list) else { return Ok(()) };
    tx.publish(&root.list, tx.take(&first.get().next));
    tx.free(first);
    Ok(())
}

fn push_and_free<'t>(tx: &Tx<'t, Emulated>, root: &'t Root, n: u64) -> Result<()> {
    push(tx, root, n)?;
    tx.free(tx.take(&root.list));
    Ok(())
}

fn rewrite_first<'t>(tx: &Tx<'t, Emulated>, root: &'t Root, n: u64) -> Result<()> {
    let Some(first) = tx.take(&root.list) else { return push(tx, root, n) };
    let mut first = tx.rewrite(first)?;
    *first.fields().id = n;
    tx.publish(&root.list, tx.persist(first)?);
    Ok(())
}

fn append<'t>(tx: &Tx<'t, Emulated>, root: &'t Root, n: u64) -> Result<()> {
    root.log.append(tx, &[n as u8; 128]).map(drop)
}

/// Records of several lengths, and to a second log.
fn append_16<'t>(tx: &Tx<'t, Emulated>, root: &'t Root, n: u64) -> Result<()> {
    let record = [n as u8; 100];
    root.other.append(tx, &record[..7])?;
    root.log.append_all(tx, (0..16).map(|i| &record[..(n as usize + i * 7) % 100])).map(drop)
}

fn append_and_store<'t>(tx: &Tx<'t, Emulated>, root: &'t Root, n: u64) -> Result<()> {
    tx.store(&root.words[0], n);
    append(tx, root, n)
}

fn append_in_vain<'t>(tx: &Tx<'t, Emulated>, root: &'t Root, n: u64) -> Result<()> {
    append_16(tx, root, n)?;
    root.log.truncate_back(tx, root.log.next_seq())
}

/// The last record goes, and others come in its place.
fn conflict<'t>(tx: &Tx<'t, Emulated>, root: &'t Root, n: u64) -> Result<()> {
    root.log.truncate_back(tx, root.log.next_seq() - 1)?;
    append_16(tx, root, n)
}

fn checkpoint<'t>(tx: &Tx<'t, Emulated>, root: &'t Root, _: u64) -> Result<()> {
    root.log.truncate_front(tx, root.log.next_seq());
    root.other.truncate_front(tx, root.other.next_seq());
    Ok(())
}

/// Allocations in DRAM of 1,000 rounds of these transactions, after 1,000 others.
fn allocations(bodies: &[Body]) -> u64 {
    let words = [const { 0 }; 64].map(Word::new);
    let root = Root { list: Link::null(), words, log: Log::new(), other: Log::new() };
    let mut region = Region::new(4 << 20, root).unwrap();
    region
        .transact(|tx, root| {
            root.log.create(tx, 16 << 10)?;
            root.other.create(tx, 4 << 10)
        })
        .unwrap();
    let mut rounds = |from: u64| {
        for n in from..from + 1_000 {
            for body in bodies {
                region.transact(|tx, root| body(tx, root, n)).unwrap();
            }
        }
    };
    rounds(1);
    let before = COUNT.get();
    rounds(1_001);
    COUNT.get() - before
}

#[test]
fn a_transaction_allocates_nothing_in_the_steady_state() {
    let kinds: [(&str, &[Body]); 14] = [
        ("store", &[store]),
        ("store 2", &[store_2]),
        ("store 64", &[store_64]),
        ("store 64 in no order", &[store_scattered]),
        ("push, pop", &[push, pop]),
        ("push staged, pop", &[push_staged, pop]),
        ("new and freed", &[push_and_free]),
        ("rewrite", &[push, rewrite_first, pop]),
        ("append, checkpoint", &[append, append, checkpoint]),
        ("batch, checkpoint", &[append_16, checkpoint]),
        ("append and store, checkpoint", &[append_and_store, append_and_store, checkpoint]),
        ("conflict, checkpoint", &[append, conflict, append_in_vain, checkpoint]),
        ("logs and the others", &[append_16, push, append_and_store, store_64, conflict, pop, checkpoint]),
        ("all in turn", &[push, store_2, store, push_staged, store_64, pop, pop]),
    ];
    for (name, bodies) in kinds {
        assert_eq!(allocations(bodies), 0, "{name}");
    }
}

#[test]
fn the_count_counts() {
    let before = COUNT.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(COUNT.get() - before, 1);
}
