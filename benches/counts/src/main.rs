//! The work whose instructions `benches/counts/run` counts: `indelible-counts WORK ROUNDS [traced]`.
//!
//! Everything before and after the rounds is the same for every number of rounds, so that the difference between
//! two runs is what the rounds cost. Nothing here depends on time, addresses or chance.

mod rounds;

use indelible::medium::Emulated;
use indelible::{Link, Options, Persistent, Region, Result, Word};
use rounds::Rounds;
use std::hint::black_box;

/// 48 bytes.
#[derive(Persistent)]
#[repr(C)]
struct Node {
    id: u64,
    value: [u64; 4],
    next: Link<Node>,
}

/// A word alone in its line.
#[derive(Persistent)]
#[repr(C)]
struct Line {
    word: Word<u64>,
    rest: [u64; 7],
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    words: [Line; 64],
    list: Link<Node>,
}

type Bank = Region<Root, Emulated>;

fn store(bank: &mut Bank, n: u64) -> Result<()> {
    bank.transact(|tx, root| {
        tx.store(&root.words[0].word, n);
        Ok(())
    })
}

fn words(bank: &mut Bank, count: usize, n: u64) -> Result<()> {
    bank.transact(|tx, root| {
        root.words[..count].iter().for_each(|line| tx.store(&line.word, n));
        Ok(())
    })
}

/// As many words, not in the order of their offsets.
fn scattered(bank: &mut Bank, n: u64) -> Result<()> {
    bank.transact(|tx, root| {
        (0..64).for_each(|i| tx.store(&root.words[i * 37 % 64].word, n));
        Ok(())
    })
}

fn publish(bank: &mut Bank, n: u64) -> Result<()> {
    bank.transact(|tx, root| {
        let mut node = tx.alloc(Node { id: n, value: [n; 4], next: Link::null() })?;
        tx.attach(&mut node, |node| &node.next, tx.take(&root.list));
        tx.publish(&root.list, tx.persist(node)?);
        Ok(())
    })
}

/// The same, without a fence of the program's.
fn stage(bank: &mut Bank, n: u64) -> Result<()> {
    bank.transact(|tx, root| {
        let mut node = tx.alloc(Node { id: n, value: [n; 4], next: Link::null() })?;
        tx.attach(&mut node, |node| &node.next, tx.take(&root.list));
        tx.stage(&root.list, tx.flush(node));
        Ok(())
    })
}

fn stage_and_free(bank: &mut Bank, n: u64) -> Result<()> {
    stage(bank, n)?;
    bank.transact(|tx, root| {
        tx.free(tx.take(&root.list));
        Ok(())
    })
}

/// Into an empty list; then it is emptied again.
fn publish_and_free(bank: &mut Bank, n: u64) -> Result<()> {
    publish(bank, n)?;
    bank.transact(|tx, root| {
        tx.free(tx.take(&root.list));
        Ok(())
    })
}

fn main() -> Result<()> {
    let rounds = Rounds::from_arguments();
    let root = Root {
        words: [const { 0 }; 64].map(|n| Line { word: Word::new(n), rest: [0; 7] }),
        list: Link::null(),
    };
    // The address space that Valgrind leaves is small.
    let mut bank = Options::new().max_len(1 << 30).emulated(8 << 20, root)?;
    for n in 1..=3 {
        words(&mut bank, 64, n)?; // until the buffers have their size
        publish_and_free(&mut bank, n)?; // and nothing is left that is not settled
    }
    let round: fn(&mut Bank, u64) -> Result<()> = match &rounds.work[..] {
        "get" => {
            for n in 0..4_000 {
                publish(&mut bank, n)?;
            }
            // The next node of a list of many.
            let mut link = &bank.root().list;
            return rounds.run(|_| {
                link = &black_box(link).get().expect("the list is longer").next;
                Ok(())
            });
        }
        "store" => store,
        "2-words" => |bank, n| words(bank, 2, n),
        "8-words" => |bank, n| words(bank, 8, n),
        "64-words" => |bank, n| words(bank, 64, n),
        "64-scattered" => scattered,
        "publish" => publish,
        "publish-and-free" => publish_and_free,
        "stage" => stage,
        "stage-and-free" => stage_and_free,
        work => panic!("there is no work {work}"),
    };
    rounds.run(|n| round(&mut bank, n))
}
