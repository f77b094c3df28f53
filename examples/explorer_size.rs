//! How many images the explorer tries for each power failure, beside how many there are: for a log of 64
//! records, and for a tree of 8 nodes of 4 KiB. The numbers are the same on every machine.
//!
//! ```text
//! cargo run --example explorer_size               # prints the table
//! cargo run --example explorer_size -- --bless    # writes docs/explorer-size.md
//! ```

use indelible::power::{Explorer, History, Log, Recorder, Size};
use indelible::{Link, Persistent, Region, Result};
use std::path::PathBuf;

#[derive(Persistent, Default)]
#[repr(C)]
struct Journal {
    newest: Link<Record>,
}

#[derive(Persistent)]
#[repr(C)]
struct Record {
    number: u64,
    payload: [u64; 4],
    before: Link<Record>,
}

const RECORDS: u64 = 64;

fn record(number: u64) -> Record {
    Record { number, payload: [number; 4], before: Link::null() }
}

/// Each record is appended by a transaction of its own.
fn append_each(journal: &mut Region<Journal, Recorder>, log: &Log<u64>) -> Result<()> {
    for number in 1..=RECORDS {
        log.begin(number);
        journal.transact(|tx, journal| {
            let mut record = tx.alloc(record(number))?;
            tx.attach(&mut record, |record| &record.before, tx.take(&journal.newest));
            tx.publish(&journal.newest, tx.persist(record)?);
            Ok(())
        })?;
        log.acknowledge();
    }
    Ok(())
}

/// All records in one transaction, with one fence before they are published.
fn append_all(journal: &mut Region<Journal, Recorder>, log: &Log<u64>) -> Result<()> {
    (1..=RECORDS).for_each(|number| log.begin(number));
    journal.transact(|tx, journal| {
        let mut newest = tx.flush(tx.alloc(record(1))?);
        for number in 2..=RECORDS {
            let mut record = tx.alloc(record(number))?;
            tx.attach(&mut record, |record| &record.before, newest);
            newest = tx.flush(record);
        }
        tx.publish(&journal.newest, tx.fence(newest)?);
        Ok(())
    })?;
    log.acknowledge();
    Ok(())
}

fn check_journal(journal: &Journal, history: &History<u64>) {
    let mut numbers = Vec::new();
    let mut at = &journal.newest;
    while let Some(record) = at.get() {
        assert_eq!(record.payload, [record.number; 4], "a record is there in part");
        numbers.push(record.number);
        at = &record.before;
    }
    numbers.reverse();
    assert!(numbers.starts_with(history.acknowledged()), "a record is missing: {numbers:?}");
    assert!(history.begun().starts_with(&numbers), "records in the wrong order: {numbers:?}");
}

#[derive(Persistent, Default)]
#[repr(C)]
struct Tree {
    top: Link<Node>,
}

/// 4 KiB with its block header.
#[derive(Persistent)]
#[repr(C)]
struct Node {
    payload: [u64; 508],
    left: Link<Node>,
    right: Link<Node>,
}

const NODES: u64 = 8;

/// A heap-ordered tree: node n has the children 2n and 2n + 1. One publish, one fence before it.
fn build(tree: &mut Region<Tree, Recorder>, log: &Log<u64>) -> Result<()> {
    log.begin(NODES);
    tree.transact(|tx, tree| {
        let mut made: Vec<Option<_>> = (0..2 * NODES + 2).map(|_| None).collect();
        for n in (1..=NODES as usize).rev() {
            let mut node =
                tx.alloc(Node { payload: [n as u64; 508], left: Link::null(), right: Link::null() })?;
            tx.attach(&mut node, |node| &node.left, made[2 * n].take());
            tx.attach(&mut node, |node| &node.right, made[2 * n + 1].take());
            made[n] = Some(tx.flush(node));
        }
        let top = tx.fence(made[1].take())?;
        tx.publish(&tree.top, top);
        Ok(())
    })?;
    log.acknowledge();
    Ok(())
}

fn check_tree(tree: &Tree, history: &History<u64>) {
    fn count(node: Option<&Node>) -> u64 {
        node.map_or(0, |node| {
            assert_eq!(node.payload, [node.payload[0]; 508], "a node is there in part");
            1 + count(node.left.get()) + count(node.right.get())
        })
    }
    let found = count(tree.top.get());
    assert!(found == NODES || (found == 0 && history.acknowledged().is_empty()), "{found} nodes");
}

/// One line of the table.
fn line<R: Persistent>(name: &str, explorer: Explorer<R, u64>) -> String {
    let report = explorer.depth(1).run().assert();
    assert!(report.is_exhaustive(), "{report}");
    let sizes = report.sizes();
    let mean_and_max = |number: &dyn Fn(&Size) -> usize| {
        let numbers: Vec<usize> = sizes.iter().map(number).collect();
        let mean = numbers.iter().sum::<usize>() as f64 / numbers.len() as f64;
        (mean, numbers.into_iter().max().unwrap_or(0))
    };
    let at_most_two_lost =
        |size: &Size| 1 + size.undurable + size.undurable * size.undurable.saturating_sub(1) / 2;
    let (tried, most_tried) = mean_and_max(&|size| size.tried);
    let (undurable, most_undurable) = mean_and_max(&|size| size.undurable);
    let (two, most_two) = mean_and_max(&at_most_two_lost);
    let brute = sizes.iter().map(|size| size.log10).fold(0.0, f64::max);
    format!(
        "| {name} | {} | {undurable:.1} / {most_undurable} | {tried:.2} / {most_tried} | {two:.1} / {most_two} | 10^{brute:.1} |\n",
        sizes.len(),
    )
}

fn table() -> String {
    let mut table = String::from(
        "| workload | power failures | stores not yet durable | images tried | at most 2 stores lost | brute force |\n\
         |---|---|---|---|---|---|\n",
    );
    table +=
        &line("64 records, appended one by one", Explorer::new(Journal::default, append_each, check_journal));
    table +=
        &line("64 records, published together", Explorer::new(Journal::default, append_all, check_journal));
    table += &line("tree of 8 nodes of 4 KiB, one publish", Explorer::new(Tree::default, build, check_tree));
    table
}

fn page() -> String {
    format!(
        "# How many images the explorer tries\n\n\
         For each power failure of a workload: mean / most over all crash points, and the most for brute force. \
         Made by `cargo run --example explorer_size -- --bless`.\n\n\
         <!-- ANCHOR: table -->\n\n{}\n\
         - *Images tried*: what recovery can tell apart. All of them, in every row; the check ran on each.\n\
         - *At most 2 stores lost*: 1 + n + n (n − 1) / 2 for n stores that are not yet durable. It may miss what \
         takes three.\n\
         - *Brute force*: the product, over all words, of the values that each may have.\n\n\
         <!-- ANCHOR_END: table -->\n",
        table()
    )
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/explorer-size.md")
}

fn main() -> std::io::Result<()> {
    if std::env::args().any(|argument| argument == "--bless") {
        std::fs::create_dir_all(path().parent().expect("a folder"))?;
        return std::fs::write(path(), page());
    }
    print!("{}", page());
    Ok(())
}

#[test]
fn the_table_is_up_to_date() {
    let shown = std::fs::read_to_string(path()).unwrap_or_default();
    assert_eq!(shown, page(), "cargo run --example explorer_size -- --bless");
}
