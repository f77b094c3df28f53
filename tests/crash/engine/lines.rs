//! Words on several lines, records after records, and transactions that go from thread to thread: the rules of
//! the journal that a small forest on one thread meets by chance only.
//!
//! Each test says in its name what must hold, and its workload is the shortest that misses it.

use indelible::collections::Log;
use indelible::power::{Explorer, History, Log as Events, Recorder, Report};
use indelible::{Error, Link, Persistent, Region, Result, Tx, Word};
use std::panic::Location;
use std::thread;

/// A line, with a word in it.
#[derive(Persistent, Default)]
#[repr(C)]
struct Line {
    word: Word<u64>,
    rest: [u64; 7],
}

#[derive(Persistent)]
#[repr(C)]
struct Node {
    id: u64,
    word: Word<u64>,
    complement: u64,
}

#[derive(Persistent, Default)]
#[repr(C)]
struct Lines {
    words: [Line; 3],
    nodes: [Link<Node>; 2],
    log: Log,
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct State {
    words: [u64; 3],
    nodes: [Option<(u64, u64)>; 2],
    records: Vec<Vec<u8>>,
}

impl State {
    fn of(root: &Lines) -> Self {
        let node = |slot: &Link<Node>| {
            slot.get().map(|node| {
                assert_eq!(node.complement, !node.id, "a reachable object is torn");
                (node.id, node.word.get())
            })
        };
        State {
            words: root.words.each_ref().map(|line| line.word.get()),
            nodes: root.nodes.each_ref().map(node),
            records: root.log.iter().map(|(_, record)| record.to_vec()).collect(),
        }
    }
}

type Made = Region<Lines, Recorder>;

/// One step of a workload.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The words of all three lines.
    Words,
    Word,
    Push(usize),
    /// The node's word and the first line's.
    StoreInNode,
    /// The node goes, and the first line's word changes with it: a record.
    Pop,
    Append,
    /// A fence, and nothing else.
    Fence,
    /// An object is made, and the transaction aborts without a fence after that.
    Abort,
    FenceAndAbort,
}

use Step::*;

impl Step {
    fn body<'t>(self, tx: &Tx<'t, Recorder>, root: &'t Lines, n: u64) -> Result<()> {
        match self {
            Words => root.words.iter().for_each(|line| tx.store(&line.word, n)),
            Word => tx.store(&root.words[0].word, n),
            Push(slot) => tx.stage(&root.nodes[slot], tx.flush(tx.alloc(node(n))?)),
            StoreInNode => {
                tx.store(&tx.get(&root.nodes[0]).expect("a node is there").word, n);
                tx.store(&root.words[0].word, n);
            }
            Pop => {
                tx.free(tx.take(&root.nodes[0]));
                tx.store(&root.words[0].word, n);
            }
            Append => _ = root.log.append(tx, &n.to_le_bytes())?,
            Fence => tx.fence(())?,
            Abort | FenceAndAbort => {
                if let FenceAndAbort = self {
                    tx.fence(())?;
                }
                tx.free(tx.alloc(node(n))?);
                return Err(Error::other("aborted on purpose"));
            }
        }
        Ok(())
    }

    fn model(self, state: &State, n: u64) -> State {
        let mut s = state.clone();
        match self {
            Words => s.words = [n; 3],
            Word => s.words[0] = n,
            Push(slot) => s.nodes[slot] = Some((n, n)),
            StoreInNode => (s.nodes[0].as_mut().expect("a node is there").1, s.words[0]) = (n, n),
            Pop => (s.nodes[0], s.words[0]) = (None, n),
            Append => s.records.push(n.to_le_bytes().to_vec()),
            Fence | Abort | FenceAndAbort => {}
        }
        s
    }
}

fn node(n: u64) -> Node {
    Node { id: n, word: Word::new(n), complement: !n }
}

/// Steps with the thread they run on: 0 is the workload's own, any other number a new one.
fn perform(region: &mut Made, events: &Events<State>, steps: &[(Step, usize)]) -> Result<()> {
    region.transact(|tx, root| root.log.create(tx, 512))?;
    for (index, &(step, thread)) in steps.iter().enumerate() {
        let n = 100 * (1 + index as u64);
        let after = step.model(&State::of(region.root()), n);
        events.begin(after.clone());
        let mut run = || region.transact(|tx, root| step.body(tx, root, n));
        let result = match thread {
            0 => run(),
            _ => thread::scope(|scope| scope.spawn(run).join().expect("no panic")),
        };
        assert_eq!(result.is_err(), matches!(step, Abort | FenceAndAbort), "{step:?} gave {result:?}");
        assert_eq!(State::of(region.root()), after, "{step:?} does what its model does");
        events.acknowledge();
    }
    Ok(())
}

#[track_caller]
fn explore(steps: &'static [(Step, usize)]) {
    let check = |root: &Lines, history: &History<State>| {
        let found = State::of(root);
        let mut possible = vec![history.acknowledged().last().cloned().unwrap_or_default()];
        possible.extend(history.in_flight().iter().cloned());
        assert!(possible.contains(&found), "found {found:?}, expected one of {possible:?}");
    };
    let report: Report =
        Explorer::new(Lines::default, move |region, events| perform(region, events, steps), check)
            .depth(1)
            .progress(false)
            .run();
    println!("{}: {report}", Location::caller());
    assert!(report.assert().is_exhaustive());
}

/// Two records, of which the first stores into a node that the second frees. Its block goes to another object then, of
/// whichever thread.
#[test]
fn a_block_that_a_record_names_is_used_again() {
    explore(&[(Push(0), 0), (StoreInNode, 0), (Pop, 0), (Fence, 0), (Abort, 1), (Push(1), 0)]);
    explore(&[(Push(0), 0), (StoreInNode, 0), (Pop, 0), (Fence, 0), (Abort, 1), (Word, 0), (Push(1), 0)]);
}

/// The same where a fence comes between.
#[test]
fn a_block_that_a_record_names_is_used_again_after_a_fence() {
    explore(&[(Push(0), 0), (StoreInNode, 0), (Pop, 0), (FenceAndAbort, 0), (Push(1), 1)]);
}

/// The words of a record are flushed in every line, by whichever thread goes on.
#[test]
fn all_lines_of_a_record_are_durable_before_it_is_overwritten() {
    explore(&[(Words, 0), (Fence, 1), (Word, 1)]);
    explore(&[(Words, 0), (Words, 1), (Words, 0), (Append, 1), (Words, 0)]);
}

/// A lone frame and what may be replayed have nothing in common.
#[test]
fn a_lone_frame_leaves_records_as_they_are() {
    explore(&[(Words, 0), (Words, 0), (Append, 0)]);
    explore(&[(Words, 0), (Words, 0), (Append, 1), (Append, 0)]);
}

/// What a killed process left visible in a line without another word: open reads it, and flushes it first.
#[test]
fn a_word_that_is_alone_in_its_line_is_durable_once_it_was_read() {
    let check = |root: &Line, history: &History<u64>| {
        let found = root.word.get();
        let acknowledged = history.acknowledged().last().copied().unwrap_or(0);
        assert!(
            found == acknowledged || history.in_flight().contains(&found),
            "{found}, after {acknowledged}"
        );
    };
    let store = |region: &mut Region<Line, Recorder>, events: &Events<u64>, n: u64| {
        events.begin(n);
        region.transact(|tx, root| {
            tx.store(&root.word, n);
            Ok(())
        })?;
        events.acknowledge();
        Ok(())
    };
    let report = Explorer::new(Line::default, move |region, events| store(region, events, 1), check)
        .then(|region, events| {
            // What recovery found is durable.
            events.begin(region.root().word.get());
            events.acknowledge();
            region.transact(|tx, _| tx.fence(()))
        })
        .depth(2)
        .progress(false)
        .run();
    assert!(report.assert().is_exhaustive());
}
