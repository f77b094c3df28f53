//! Transactions on two logs and a word, with a model of what they hold.

use indelible::collections::Log;
use indelible::medium::Writable;
use indelible::power::{self, Explorer, History, Recorder};
use indelible::{Error, Persistent, Region, Result, Tx, Word};

#[derive(Persistent, Default)]
#[repr(C)]
pub struct Root {
    pub a: Log,
    pub b: Log,
    pub word: Word<u64>,
}

/// A log's first number, and its records.
pub type Records = (u64, Vec<Vec<u8>>);

/// What the region holds.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct State {
    pub a: Records,
    pub b: Records,
    pub word: u64,
    /// Bytes of the first log's ring.
    pub capacity: u64,
    /// How many transactions were run: records say it.
    pub count: u64,
}

pub fn contents(log: &Log) -> Records {
    let records: Vec<Vec<u8>> = log.iter().map(|(_, record)| record.to_vec()).collect();
    assert_eq!(records.len() as u64, log.len());
    assert!(log.iter().map(|(seq, _)| seq).eq(log.next_seq() - log.len()..log.next_seq()));
    (log.next_seq() - log.len(), records)
}

pub fn found(root: &Root, count: u64) -> State {
    State {
        a: contents(&root.a),
        b: contents(&root.b),
        word: root.word.get(),
        capacity: root.a.capacity(),
        count,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A record of 8 bytes, in a frame of 32.
    Append,
    /// The same bytes each time.
    Same,
    /// Two records of 4 bytes, in a frame of 32.
    Batch,
    /// A record of 28 bytes, in a frame of 48.
    Long,
    /// A record of 16 bytes, of which the second half is always the same, in a frame of 32.
    Half,
    /// A record of 150 bytes, no two lines of which are the same, in a frame of 176: three or four lines.
    Lines,
    /// All records but the last one go.
    Front,
    /// All go.
    Clear,
    /// The last record goes.
    Back,
    /// The last record goes and another comes.
    Conflict,
    /// The last two go, and the same come again.
    SameConflict,
    /// Everything goes from the back.
    BackAll,
    /// What is in the log goes into the word.
    Checkpoint,
    /// A record, and a word.
    AppendAndStore,
    /// A record to each log.
    Both,
    /// The front goes and a record comes.
    FrontAndAppend,
    /// Two times to the back, in one transaction.
    BackTwice,
    /// The last record goes, of a batch, and then the rest of it from the front.
    ShortenAndClear,
    /// A record comes, and the ring goes.
    AppendAndDestroy,
    /// A word.
    Store,
    /// A record, on another thread.
    AppendElsewhere,
    /// A record and a word, and then no commit.
    Abort,
    /// A larger ring, with a record.
    Resize,
    /// A larger ring for the other log.
    ResizeOther,
    /// The ring goes.
    Destroy,
    /// A ring where there is none, in the memory of the last one.
    Create,
}

/// Bytes of a ring that [`Op::Create`] or [`Op::ResizeOther`] makes.
const CREATED: u64 = 192;

use Op::*;

impl Op {
    pub const ALL: &[Op] = &[
        Append,
        Same,
        Batch,
        Long,
        Half,
        Front,
        Clear,
        Back,
        Conflict,
        SameConflict,
        BackAll,
        Checkpoint,
        AppendAndStore,
        Both,
        FrontAndAppend,
        BackTwice,
        ShortenAndClear,
        AppendAndDestroy,
        Store,
        AppendElsewhere,
        Abort,
        Resize,
        Destroy,
    ];
}

fn append<'t, M: Writable>(tx: &Tx<'t, M>, log: &'t Log, model: &mut Records, record: &[u8]) -> Result<()> {
    let seq = log.append(tx, record)?;
    assert_eq!(seq, model.0 + model.1.len() as u64);
    model.1.push(record.to_vec());
    Ok(())
}

fn cut<'t, M: Writable>(tx: &Tx<'t, M>, log: &'t Log, model: &mut Records, records: usize) -> Result<()> {
    let keep = model.1.len().saturating_sub(records);
    log.truncate_back(tx, model.0 + keep as u64)?;
    model.1.truncate(keep);
    Ok(())
}

fn front<'t, M: Writable>(tx: &Tx<'t, M>, log: &'t Log, model: &mut Records, keep: usize) {
    let gone = model.1.len().saturating_sub(keep);
    log.truncate_front(tx, model.0 + gone as u64);
    model.0 += gone as u64;
    model.1.drain(..gone);
}

impl Op {
    pub fn apply<'t, M: Writable>(self, tx: &Tx<'t, M>, root: &'t Root, to: &mut State) -> Result<()> {
        to.count += 1;
        let record = (0x0101_0101_0101_0101 * to.count).to_le_bytes();
        let log = &root.a;
        match self {
            Append | AppendElsewhere => append(tx, log, &mut to.a, &record)?,
            Same => append(tx, log, &mut to.a, b"the same")?,
            Batch => {
                append(tx, log, &mut to.a, &record[..4])?;
                append(tx, log, &mut to.a, &record[..4])?;
            }
            Long => append(tx, log, &mut to.a, &[record[0]; 28])?,
            Half => append(tx, log, &mut to.a, &[record, *b"the same"].concat())?,
            Lines => {
                let record: Vec<u8> = (0..150).map(|n| (7 * n + 31 * to.count) as u8 | 1).collect();
                append(tx, log, &mut to.a, &record)?;
            }
            Front => front(tx, log, &mut to.a, 1),
            Clear => front(tx, log, &mut to.a, 0),
            Back => cut(tx, log, &mut to.a, 1)?,
            Conflict => {
                cut(tx, log, &mut to.a, 1)?;
                append(tx, log, &mut to.a, &record)?;
            }
            SameConflict => {
                let tail: Vec<Vec<u8>> = to.a.1.iter().rev().take(2).rev().cloned().collect();
                cut(tx, log, &mut to.a, 2)?;
                for record in tail {
                    append(tx, log, &mut to.a, &record)?;
                }
            }
            BackAll => cut(tx, log, &mut to.a, usize::MAX)?,
            Checkpoint => {
                let bytes = to.a.1.iter().map(|record| record.len() as u64).sum::<u64>();
                to.word += bytes;
                tx.store(&root.word, to.word);
                front(tx, log, &mut to.a, 0);
            }
            AppendAndStore => {
                append(tx, log, &mut to.a, &record)?;
                to.word = to.count;
                tx.store(&root.word, to.word);
            }
            Both => {
                append(tx, &root.b, &mut to.b, &record[..4])?;
                append(tx, log, &mut to.a, &record)?;
            }
            FrontAndAppend => {
                front(tx, log, &mut to.a, 1);
                append(tx, log, &mut to.a, &record)?;
            }
            BackTwice => {
                cut(tx, log, &mut to.a, 1)?;
                cut(tx, log, &mut to.a, 1)?;
            }
            ShortenAndClear => {
                cut(tx, log, &mut to.a, 1)?;
                front(tx, log, &mut to.a, 0);
            }
            AppendAndDestroy => {
                log.append(tx, &record)?;
                log.destroy(tx);
                (to.a, to.capacity) = ((1, Vec::new()), 0);
            }
            Store => {
                to.word = to.count;
                tx.store(&root.word, to.word);
            }
            Abort => {
                log.append(tx, &record)?;
                tx.store(&root.word, 99);
                return Err(Error::other("an abort"));
            }
            Resize => {
                log.resize(tx, log.capacity() + 64)?;
                to.capacity += 64;
                append(tx, log, &mut to.a, &record)?;
            }
            ResizeOther => root.b.resize(tx, CREATED)?,
            Destroy => {
                log.destroy(tx);
                (to.a, to.capacity) = ((1, Vec::new()), 0);
            }
            Create => {
                if log.capacity() == 0 {
                    log.create(tx, CREATED)?;
                    to.capacity = CREATED;
                }
            }
        }
        Ok(())
    }

    /// Runs it, and answers what the region holds then. A log that is full refuses and stays as it was.
    pub fn run<M: Writable>(self, region: &mut Region<Root, M>, from: &State) -> Result<State> {
        let before = State { count: from.count + 1, ..from.clone() };
        let mut to = from.clone();
        let result = match self {
            AppendElsewhere => std::thread::scope(|scope| {
                let run = || region.transact(|tx, root| self.apply(tx, root, &mut to));
                scope.spawn(run).join().expect("it does not panic")
            }),
            _ => region.transact(|tx, root| self.apply(tx, root, &mut to)),
        };
        match result {
            Ok(()) => Ok(to),
            Err(Error::Other(_) | Error::LogFull { .. }) => Ok(before),
            Err(error) => Err(error),
        }
    }
}

/// What the region would hold: run on a copy, without a crash.
fn expected(program: &[Op], capacity: u64) -> Vec<State> {
    let mut region = power::region(1 << 16, Root::default()).expect("memory");
    let mut state = start(&mut region, capacity);
    let mut states = vec![state.clone()];
    for op in program {
        state = op.run(&mut region, &state).expect("nothing fails");
        assert_eq!(found(region.root(), state.count), state, "{program:?}");
        states.push(state.clone());
    }
    states
}

pub fn start<M: Writable>(region: &mut Region<Root, M>, capacity: u64) -> State {
    let create = |region: &mut Region<Root, M>| {
        region.transact(|tx, root| {
            root.a.create(tx, capacity)?;
            root.b.create(tx, 64)
        })
    };
    create(region).expect("room");
    State { capacity: capacity.next_multiple_of(64), ..nothing() }
}

/// Logs that were not made yet.
fn nothing() -> State {
    State { a: (1, Vec::new()), b: (1, Vec::new()), ..State::default() }
}

/// What is there after recovery: nothing acknowledged is missing, and nothing is there that was never begun.
fn check(root: &Root, history: &History<State>) {
    if history.begun().is_empty() {
        return;
    }
    let count = history.begun().last().map_or(0, |state| state.count);
    let found = found(root, count);
    let last = history.acknowledged().last();
    let possible = last.into_iter().chain(history.in_flight());
    let fits = possible.clone().any(|state| State { count, ..state.clone() } == found);
    assert!(fits, "{found:?} is none of {:?}", possible.collect::<Vec<_>>());
}

/// An explorer of these transactions on a log of so many bytes, and of others after each recovery.
pub fn explorer(program: &[Op], then: &[Op], capacity: u64) -> Explorer<Root, State> {
    let states = expected(program, capacity);
    let (program, then) = (program.to_vec(), then.to_vec());
    let going_on = !then.is_empty();
    let explorer = Explorer::new(
        Root::default,
        move |region: &mut Region<Root, Recorder>, log: &power::Log<State>| {
            log.begin(nothing());
            log.acknowledge();
            log.begin(states[0].clone());
            start(region, capacity);
            log.acknowledge();
            for (op, pair) in program.iter().zip(states.windows(2)) {
                log.begin(pair[1].clone());
                op.run(region, &pair[0])?;
                log.acknowledge();
            }
            Ok(())
        },
        check,
    )
    .progress(false);
    if !going_on {
        return explorer;
    }
    explorer.then(move |region: &mut Region<Root, Recorder>, log: &power::Log<State>| {
        let mut state = found(region.root(), 100 + log.count() as u64);
        log.begin(state.clone());
        log.acknowledge();
        for op in &then {
            // What it will hold is known when it has run on the model; the region is not touched by that.
            let mut copy = copy_of(&state, capacity);
            let next = op.run(&mut copy, &state)?;
            log.begin(next.clone());
            let real = op.run(region, &state)?;
            // The copy's ring may have room where this one has none.
            log.begin(real.clone());
            log.acknowledge();
            state = real;
        }
        Ok(())
    })
}

/// A region that holds this.
fn copy_of(state: &State, capacity: u64) -> Region<Root, indelible::medium::Emulated> {
    let mut region = Region::new(1 << 16, Root::default()).expect("memory");
    let fill = |log: &Records| {
        let before = (1..log.0).map(|_| Vec::new()).collect::<Vec<Vec<u8>>>();
        before.into_iter().chain(log.1.iter().cloned()).collect::<Vec<_>>()
    };
    let (a, b) = (fill(&state.a), fill(&state.b));
    region
        .transact(|tx, root| {
            root.a.create(tx, capacity + 4096)?;
            root.b.create(tx, 4096)
        })
        .expect("room");
    region
        .transact(|tx, root| {
            root.a.append_all(tx, a.iter().map(Vec::as_slice))?;
            root.b.append_all(tx, b.iter().map(Vec::as_slice))?;
            tx.store(&root.word, state.word);
            Ok(())
        })
        .expect("room");
    region
        .transact(|tx, root| {
            root.a.truncate_front(tx, state.a.0);
            root.b.truncate_front(tx, state.b.0);
            Ok(())
        })
        .expect("room");
    region
}
