//! Carries a program out on a region, beside its model, under the explorer.

use crate::program::{Build, End, How, LogAt, LogOp, MapOp, Program, Step, Transaction, Value, Which};
use crate::program::{numbers, record, text};
use crate::state::State;
use crate::stored::{Node, Root, committed, seen};
use indelible::collections::Log;
use indelible::power::{Explorer, History, Log as Events, Recorder};
use indelible::state::Dirty;
use indelible::{Error, Link, Pm, Region, Result, Target, Tx};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

type Made = Region<Root, Recorder>;

/// What may be there from here on; not if the transaction was refused after all.
pub struct Entry {
    state: State,
    refused: AtomicBool,
}

type Note = Arc<Entry>;

fn note(state: State) -> Note {
    Arc::new(Entry { state, refused: AtomicBool::new(false) })
}

/// What a transaction has done to logs: one that it changed may not be resized.
#[derive(Default)]
struct Touched {
    root: [bool; 2],
    /// Nodes move about, so it is any of theirs.
    nodes: bool,
}

impl Touched {
    fn log(&mut self, at: LogAt) -> &mut bool {
        match at {
            LogAt::Root(index) => &mut self.root[index],
            LogAt::Head(_) => &mut self.nodes,
        }
    }
}

fn slot<'t>(tx: &Tx<'t, Recorder>, root: &'t Root, list: usize, depth: usize) -> &'t Link<Node> {
    let mut slot = &root.lists[list];
    for _ in 0..depth {
        match tx.get(slot) {
            Some(node) => slot = &node.next,
            None => break,
        }
    }
    slot
}

/// The slot at this depth, if a node is in it.
fn taken_slot<'t>(
    tx: &Tx<'t, Recorder>,
    root: &'t Root,
    list: usize,
    depth: usize,
) -> Option<(&'t Link<Node>, &'t Node)> {
    let mut slot = &root.lists[list];
    for _ in 0..depth {
        slot = &tx.get(slot)?.next;
    }
    Some((slot, tx.get(slot)?))
}

fn build<'t>(tx: &Tx<'t, Recorder>, plan: Build, how: How) -> Result<Pm<'t, Node, Dirty>> {
    let mut node = tx.alloc(Node::new(plan.id))?;
    if plan.data > 0 {
        let data = numbers(plan.id, plan.data);
        match how {
            How::Stream => tx.attach(&mut node, |node| &node.data, tx.stream_slice(&data)?),
            How::Publish => {
                let data = tx.alloc_slice(&data)?;
                tx.attach(&mut node, |node| &node.data, tx.persist(data)?);
            }
            How::Stage | How::FenceAndStage => {
                let data = tx.alloc_slice_with(data.len(), |index| data[index])?;
                tx.attach(&mut node, |node| &node.data, tx.flush(data));
            }
        }
    }
    if plan.side {
        let side = build(tx, plan.of_side(), how)?;
        tx.attach(&mut node, |node| &node.side, tx.flush(side));
    }
    Ok(node)
}

fn put<'t, T: Target + ?Sized>(
    tx: &Tx<'t, Recorder>,
    slot: &'t Link<T>,
    object: Pm<'t, T, Dirty>,
    how: How,
) -> Result<()> {
    match how {
        How::Publish => tx.publish(slot, tx.persist(object)?),
        How::Stage | How::Stream => tx.stage(slot, tx.flush(object)),
        How::FenceAndStage => {
            let object = tx.flush(object);
            tx.fence(())?;
            tx.stage(slot, object);
        }
    }
    Ok(())
}

/// One step, and what came of it; `None` if it was refused or not made.
fn perform<'t>(
    tx: &Tx<'t, Recorder>,
    root: &'t Root,
    step: Step,
    model: &mut State,
    touched: &mut Touched,
) -> Result<Option<Step>> {
    let mut done = step;
    match step {
        Step::Fence => tx.fence(())?,
        Step::Store { word, ref value } => {
            let word = &root.words[word];
            let number = value.or(word.get());
            tx.store(word, number);
            let Step::Store { value, .. } = &mut done else { unreachable!() };
            *value = Value::New(number);
        }
        Step::StoreRun { from, count, value } => {
            let words = root.words[from..].iter().take(count);
            words.zip(value..).for_each(|(word, value)| tx.store(word, value));
        }
        Step::StoreInNode { list, depth, which, ref value } => {
            let Some((_, node)) = taken_slot(tx, root, list, depth) else { return Ok(None) };
            let number = value.or(if which == Which::Near { node.near.get() } else { node.far.get() });
            if which != Which::Far {
                tx.store(&node.near, number);
            }
            if which != Which::Near {
                tx.store(&node.far, number);
            }
            let Step::StoreInNode { value, .. } = &mut done else { unreachable!() };
            *value = Value::New(number);
        }
        Step::Push { list, depth, build: plan, how, late } => {
            let slot = slot(tx, root, list, depth);
            let mut old = tx.take(slot);
            let mut new = build(tx, plan, how)?;
            if !late {
                tx.attach(&mut new, |node| &node.next, old.take());
            }
            put(tx, slot, new, how)?;
            if let Some(old) = old {
                tx.publish(&tx.get(slot).expect("it was published").next, old);
            }
        }
        Step::Pop { list } => {
            let head = &root.lists[list];
            if let Some(node) = tx.take(head) {
                tx.publish(head, tx.take(&node.get().next));
                tx.free(node);
            }
        }
        Step::Move { from, to } => {
            let (from, to) = (&root.lists[from], &root.lists[to]);
            if let Some(node) = tx.take(from) {
                tx.publish(from, tx.take(&node.get().next));
                tx.publish(&node.get().next, tx.take(to));
                tx.publish(to, node);
            }
        }
        Step::Swap => {
            let [a, b] = &root.lists;
            let (old_a, old_b) = (tx.take(a), tx.take(b));
            tx.publish(a, old_b);
            tx.publish(b, old_a);
        }
        Step::Rewrite { list, depth, value, how } => {
            let Some((slot, _)) = taken_slot(tx, root, list, depth) else { return Ok(None) };
            let old = tx.take(slot).expect("a node is there");
            let mut copy = tx.rewrite(old)?;
            copy.fields().near.set(value);
            copy.fields().far.set(value + 1);
            put(tx, slot, copy, how)?;
        }
        Step::Replace { list, build: plan, how, keep } => {
            let slot = &root.lists[list];
            let new = build(tx, plan, how)?;
            let old = match how {
                How::Publish => tx.replace(slot, tx.persist(new)?),
                _ => {
                    let old = tx.take(slot);
                    put(tx, slot, new, how)?;
                    old
                }
            };
            match keep {
                true => tx.publish(&tx.get(slot).expect("it was published").next, old),
                false => tx.free(old),
            }
        }
        Step::FreeList { list } => tx.free(tx.take(&root.lists[list])),
        Step::Slice { index, len, id, how } => {
            let slot = &root.slices[index];
            tx.free(tx.take(slot));
            let values = numbers(id, len);
            match how {
                How::Stream => tx.stage(slot, tx.stream_slice(&values)?),
                _ => put(tx, slot, tx.alloc_slice(&values)?, how)?,
            }
        }
        Step::FreeSlice { index } => tx.free(tx.take(&root.slices[index])),
        Step::Text { len, id, how } => {
            tx.free(tx.take(&root.text));
            put(tx, &root.text, tx.alloc_str(&text(id, len))?, how)?;
        }
        Step::FreeText => tx.free(tx.take(&root.text)),
        Step::Spare { len, how } => {
            let values = numbers(1, len);
            match how {
                How::Stream => tx.free(tx.stream_slice(&values)?),
                How::Publish => tx.free(tx.persist(tx.alloc_slice(&values)?)?),
                How::Stage => tx.free(tx.flush(tx.alloc_slice(&values)?)),
                How::FenceAndStage => tx.free(tx.alloc_slice(&values)?),
            }
        }
        Step::Log { at, op } => {
            let log = match at {
                LogAt::Root(index) => &root.logs[index],
                LogAt::Head(list) => match tx.get(&root.lists[list]) {
                    Some(node) => &node.log,
                    None => return Ok(None),
                },
            };
            return match perform_on_log(tx, log, op, at, model, touched) {
                Ok(true) => Ok(Some(step)),
                Ok(false) | Err(Error::LogFull { .. }) => Ok(None),
                Err(error) => Err(error),
            };
        }
        Step::Tree(op) => match op {
            MapOp::Insert { key, value } => drop(root.tree.insert(tx, &key, &value)?),
            MapOp::InsertRun { key, count, value } => {
                (0..count).try_for_each(|n| root.tree.insert(tx, &(key + n), &(value + n)).map(drop))?;
            }
            MapOp::Remove { key } => drop(root.tree.remove(tx, &key)?),
            MapOp::RemoveRun { key, count } => {
                (key..key + count).try_for_each(|key| root.tree.remove(tx, &key).map(drop))?;
            }
            MapOp::Clear => root.tree.clear(tx),
        },
        Step::Hash(op) => match op {
            MapOp::Insert { key, value } => drop(root.hash.insert(tx, &key, &value)?),
            MapOp::InsertRun { key, count, value } => {
                (0..count).try_for_each(|n| root.hash.insert(tx, &(key + n), &(value + n)).map(drop))?;
            }
            MapOp::Remove { key } => drop(root.hash.remove(tx, &key)?),
            MapOp::RemoveRun { key, count } => {
                (key..key + count).try_for_each(|key| root.hash.remove(tx, &key).map(drop))?;
            }
            MapOp::Clear => root.hash.clear(tx),
        },
    }
    Ok(Some(done))
}

fn perform_on_log<'t>(
    tx: &Tx<'t, Recorder>,
    log: &'t Log,
    op: LogOp,
    at: LogAt,
    model: &mut State,
    touched: &mut Touched,
) -> Result<bool> {
    let known = model.log(at).and_then(Option::as_mut);
    match op {
        LogOp::Create { .. } if known.is_some() => return Ok(false),
        LogOp::Create { capacity, first: 1 } => log.create(tx, capacity)?,
        LogOp::Create { capacity, first } => log.create_from(tx, capacity, first)?,
        LogOp::Resize { .. } if *touched.log(at) => return Ok(false),
        LogOp::Resize { capacity } => {
            log.resize(tx, capacity)?;
            *touched.log(at) = true;
        }
        LogOp::Destroy => log.destroy(tx),
        _ => {
            let Some(known) = known else { return Ok(false) };
            *touched.log(at) = true;
            let next = match op {
                LogOp::Append { id, len } => log.append(tx, &record(id, len))?,
                LogOp::AppendAll { id, count, len } => {
                    let records: Vec<_> = (0..count as u64).map(|index| record(id + index, len)).collect();
                    log.append_all(tx, records.iter().map(Vec::as_slice))?
                }
                LogOp::TruncateFront { keep } => {
                    log.truncate_front(tx, known.first + known.records.len().saturating_sub(keep) as u64);
                    known.next()
                }
                LogOp::TruncateBack { drop } => {
                    log.truncate_back(tx, known.first + known.records.len().saturating_sub(drop) as u64)?;
                    known.next()
                }
                _ => unreachable!("handled above"),
            };
            assert_eq!(next, known.next(), "the number of the next record");
        }
    }
    Ok(true)
}

impl Value {
    fn or(self, committed: u64) -> u64 {
        match self {
            Value::New(number) => number,
            Value::Committed => committed,
        }
    }
}

/// What a transaction unwinds with that is to panic; it is no message for anyone.
struct OnPurpose;

fn transact(
    region: &mut Made,
    events: &Events<Note>,
    model: &mut State,
    transaction: &Transaction,
) -> Result<()> {
    let mut next = model.clone();
    let mut begun = None;
    let mut body = || {
        catch_unwind(AssertUnwindSafe(|| {
            region.transact(|tx, root| {
                let mut touched = Touched::default();
                for &step in &transaction.steps {
                    if let Some(done) = perform(tx, root, step, &mut next, &mut touched)? {
                        next.apply(done);
                    }
                }
                let (seen, expected) = (seen(tx, root), next.without_logs());
                assert!(seen == expected, "what the transaction sees: {}", difference(&seen, &expected));
                match transaction.end {
                    // Only now: nothing of it may be there before.
                    End::Commit => events.begin(begun.insert(note(next.clone())).clone()),
                    End::Abort => return Err(Error::other("aborted")),
                    End::Panic => resume_unwind(Box::new(OnPurpose)),
                    End::Orphan => drop(tx.alloc_str("lost")?),
                }
                Ok(())
            })
        }))
    };
    let outcome = match transaction.elsewhere {
        false => body(),
        true => thread::scope(|scope| scope.spawn(body).join().expect("panics are caught")),
    };
    match (transaction.end, outcome) {
        (End::Commit, Ok(Ok(()))) => {
            *model = next;
            events.acknowledge();
        }
        (End::Commit, Ok(Err(Error::JournalFull { .. }))) => {
            begun.expect("it came to the commit").refused.store(true, Ordering::Relaxed);
        }
        (End::Abort, Ok(Err(Error::Other(_)))) => {}
        (End::Panic, Err(payload)) if payload.is::<OnPurpose>() => {}
        (End::Orphan, Ok(Err(Error::Orphaned { handles: 1, .. }))) => {}
        (_, Err(payload)) => resume_unwind(payload),
        (end, Ok(result)) => panic!("{end:?} gave {result:?}"),
    }
    let found = committed(region.root());
    assert!(found == *model, "after the transaction: {}", difference(&found, model));
    Ok(())
}

fn perform_all(
    region: &mut Made,
    events: &Events<Note>,
    mut model: State,
    transactions: &[Transaction],
) -> Result<()> {
    transactions.iter().try_for_each(|transaction| transact(region, events, &mut model, transaction))?;
    assert_eq!(region.usage()?.unreached_bytes, 0, "something leaked");
    Ok(())
}

/// The parts in which two states differ.
fn difference(found: &State, expected: &State) -> String {
    let mut parts = Vec::new();
    macro_rules! compare {
        ($($part:ident)*) => {$(
            if found.$part != expected.$part {
                let name = stringify!($part);
                parts.push(format!("{name} {:?} instead of {:?}", found.$part, expected.$part));
            }
        )*};
    }
    compare!(words lists slices text logs tree hash);
    parts.join("; ")
}

fn check(root: &Root, history: &History<Note>) -> Result<(), String> {
    let found = committed(root);
    let of = |entries: &[Note]| -> Vec<State> {
        let entries = entries.iter().filter(|entry| !entry.refused.load(Ordering::Relaxed));
        entries.map(|entry| entry.state.clone()).collect()
    };
    let acknowledged = of(history.acknowledged()).pop().unwrap_or_else(State::new);
    let in_flight = of(history.in_flight());
    if found == acknowledged || in_flight.contains(&found) {
        return Ok(());
    }
    let mut message = format!("not what was acknowledged: {}", difference(&found, &acknowledged));
    for state in &in_flight {
        message += &format!("\nnor what was in flight: {}", difference(&found, state));
    }
    Err(message)
}

/// Images of a program that are tried one by one; of the rest a few of each crash.
const IMAGES: u64 = 600;

/// Explores the program; what goes wrong, if anything does, and how many images that took.
pub fn explore(program: &Program) -> std::result::Result<usize, String> {
    let (transactions, then) = (program.transactions.clone(), program.then.clone());
    let mut explorer = Explorer::new(
        Root::new,
        move |region, events| perform_all(region, events, State::new(), &transactions),
        check,
    )
    .model(program.model)
    .journal_words(program.journal_words)
    .depth(program.depth)
    .kills(program.kills)
    .max_images(IMAGES)
    .threads(1)
    .progress(false);
    if program.file_system {
        explorer = explorer.file_system();
    }
    if program.depth > 1 {
        explorer = explorer.then(move |region, events| {
            // What recovery found is durable.
            let found = committed(region.root());
            events.begin(note(found.clone()));
            events.acknowledge();
            perform_all(region, events, found, &then)
        });
    }
    let report = catch_unwind(AssertUnwindSafe(|| explorer.run())).map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        format!("without any crash: {}", text.unwrap_or("a panic without a message"))
    })?;
    match report.failure() {
        None => Ok(report.images()),
        Some(failure) => Err(failure.to_string()),
    }
}
