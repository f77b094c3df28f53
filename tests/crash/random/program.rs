//! [`Program`]: transactions by chance, and under which conditions they are explored.

use crate::stored::{TWO, WORDS};
use indelible::power::Model;
use indelible_test_support::chance::Chance;

/// How a new object gets into its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `persist`, `publish`.
    Publish,
    /// `flush`, `stage`: the commit has to fence.
    Stage,
    /// `flush`, `fence(())`, `stage`: the commit has not.
    FenceAndStage,
    /// `stream_slice` where there is one, and `stage`.
    Stream,
}

/// What is stored in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    New(u64),
    /// What it has in memory: nothing is to be committed.
    Committed,
}

/// Words of a node, on different lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Near,
    Far,
    Both,
}

/// A new node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    pub id: u64,
    /// Numbers in its slice; none if 0.
    pub data: usize,
    pub side: bool,
}

impl Build {
    pub fn of_side(self) -> Build {
        Build { id: self.id + 1, data: self.data / 2, side: false }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogAt {
    Root(usize),
    /// The log in the first node of a list.
    Head(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOp {
    /// Nothing where there is one.
    Create {
        capacity: u64,
        first: u64,
    },
    /// Nothing where this transaction has changed it.
    Resize {
        capacity: u64,
    },
    Append {
        id: u64,
        len: usize,
    },
    AppendAll {
        id: u64,
        count: usize,
        len: usize,
    },
    TruncateFront {
        keep: usize,
    },
    TruncateBack {
        drop: usize,
    },
    Destroy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapOp {
    Insert { key: u64, value: u64 },
    InsertRun { key: u64, count: u64, value: u64 },
    Remove { key: u64 },
    RemoveRun { key: u64, count: u64 },
    Clear,
}

/// What a transaction does next. Where it can't be done it does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Fence,
    Store {
        word: usize,
        value: Value,
    },
    StoreRun {
        from: usize,
        count: usize,
        value: u64,
    },
    StoreInNode {
        list: usize,
        depth: usize,
        which: Which,
        value: Value,
    },
    /// What follows is attached, or published into the new node when that is published itself (`late`).
    Push {
        list: usize,
        depth: usize,
        build: Build,
        how: How,
        late: bool,
    },
    Pop {
        list: usize,
    },
    Move {
        from: usize,
        to: usize,
    },
    Swap,
    Rewrite {
        list: usize,
        depth: usize,
        value: u64,
        how: How,
    },
    Replace {
        list: usize,
        build: Build,
        how: How,
        keep: bool,
    },
    FreeList {
        list: usize,
    },
    Slice {
        index: usize,
        len: usize,
        id: u64,
        how: How,
    },
    FreeSlice {
        index: usize,
    },
    Text {
        len: usize,
        id: u64,
        how: How,
    },
    FreeText,
    /// An object that is freed again.
    Spare {
        len: usize,
        how: How,
    },
    Log {
        at: LogAt,
        op: LogOp,
    },
    Tree(MapOp),
    Hash(MapOp),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Commit,
    Abort,
    Panic,
    Orphan,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    pub steps: Vec<Step>,
    pub end: End,
    /// Whether it runs on a thread of its own.
    pub elsewhere: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub model: Model,
    pub journal_words: usize,
    pub depth: usize,
    pub kills: bool,
    /// Opening syncs, and does not flush.
    pub file_system: bool,
    pub transactions: Vec<Transaction>,
    /// What it goes on with after each recovery.
    pub then: Vec<Transaction>,
}

pub fn numbers(id: u64, len: usize) -> Vec<u64> {
    (0..len as u64).map(|index| id * 1000 + index).collect()
}

pub fn text(id: u64, len: usize) -> String {
    format!("{id}, é, ").chars().cycle().take(len).collect()
}

pub fn record(id: u64, len: usize) -> Vec<u8> {
    id.to_le_bytes().into_iter().cycle().take(len).collect()
}

/// What steps are about. A program has most of its steps from one group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Words,
    Lists,
    Slices,
    Logs,
    Maps,
}

type Write = fn(&mut Writer) -> Step;

/// The kinds of step. Each program leaves out about half of them: those that remain meet more often, and a program
/// about everything seldom does the same thing twice, which is when it goes wrong.
const KINDS: &[(About, Write)] = &[
    (About::Words, |writer| Step::Store { word: writer.chance.of(&[0, 1, 10, 19]), value: writer.value() }),
    (About::Words, |writer| {
        let from = writer.chance.below(WORDS);
        Step::StoreRun { from, count: 2 + writer.chance.below(WORDS), value: writer.id() }
    }),
    (About::Words, Writer::store_in_node),
    (About::Lists, Writer::store_in_node),
    (About::Lists, |writer| {
        let (list, depth, build) = (writer.list(), writer.chance.of(&[0, 0, 0, 1, 2]), writer.build());
        Step::Push { list, depth, build, how: writer.how(), late: writer.chance.once_in(3) }
    }),
    (About::Lists, |writer| Step::Pop { list: writer.list() }),
    (About::Lists, |writer| Step::Move { from: writer.list(), to: writer.chance.below(TWO) }),
    (About::Lists, |_| Step::Swap),
    (About::Lists, |writer| {
        let (list, depth, value) = (writer.list(), writer.chance.below(2), writer.id());
        Step::Rewrite { list, depth, value, how: writer.how() }
    }),
    (About::Lists, |writer| {
        let (list, build) = (writer.list(), writer.build());
        Step::Replace { list, build, how: writer.how(), keep: writer.chance.once_in(2) }
    }),
    (About::Lists, |writer| Step::FreeList { list: writer.list() }),
    (About::Slices, |writer| {
        let (index, len, id) = (writer.chance.below(TWO), writer.len(), writer.id());
        Step::Slice { index, len, id, how: writer.how() }
    }),
    (About::Slices, |writer| Step::FreeSlice { index: writer.chance.below(TWO) }),
    (About::Slices, |writer| {
        let (len, id) = (writer.len() * 5, writer.id());
        Step::Text { len, id, how: writer.how() }
    }),
    (About::Slices, |_| Step::FreeText),
    (About::Slices, |writer| Step::Spare { len: writer.len(), how: writer.how() }),
    (About::Logs, |writer| {
        let (capacity, first) = (writer.capacity(), writer.chance.of(&[1, 1, 7]));
        writer.log(LogOp::Create { capacity, first })
    }),
    (About::Logs, |writer| {
        let capacity = writer.capacity();
        writer.log(LogOp::Resize { capacity })
    }),
    (About::Logs, |writer| {
        let (id, len) = (writer.id(), writer.record_len());
        writer.log(LogOp::Append { id, len })
    }),
    (About::Logs, |writer| {
        let (id, count, len) = (writer.id(), writer.chance.of(&[0, 2, 3, 4]), writer.record_len().min(24));
        writer.log(LogOp::AppendAll { id, count, len })
    }),
    (About::Logs, |writer| {
        let keep = writer.chance.of(&[0, 0, 1, 2]);
        writer.log(LogOp::TruncateFront { keep })
    }),
    (About::Logs, |writer| {
        let drop = writer.chance.of(&[1, 2, 9, 9]);
        writer.log(LogOp::TruncateBack { drop })
    }),
    (About::Logs, |writer| writer.log(LogOp::Destroy)),
    (About::Maps, |writer| {
        let op = MapOp::Insert { key: writer.key(), value: writer.id() };
        writer.map(op)
    }),
    (About::Maps, |writer| {
        let op = MapOp::InsertRun { key: writer.key(), count: writer.run(), value: writer.id() };
        writer.map(op)
    }),
    (About::Maps, |writer| {
        let op = MapOp::Remove { key: writer.key() };
        writer.map(op)
    }),
    (About::Maps, |writer| {
        let op = MapOp::RemoveRun { key: writer.key(), count: writer.run() };
        writer.map(op)
    }),
    (About::Maps, |writer| writer.map(MapOp::Clear)),
];

struct Writer {
    chance: Chance,
    about: About,
    other: About,
    /// How often each of [`KINDS`] is chosen.
    weights: Vec<usize>,
    /// A step in so many is followed by a fence, a transaction in so many aborts, or runs on its own thread.
    fences: usize,
    aborts: usize,
    threads: usize,
    /// Small programs meet in the same few places.
    lists: usize,
    logs: usize,
    id: u64,
}

impl Program {
    pub fn random(seed: u64) -> Program {
        let mut chance = Chance::new(seed);
        let about = chance.of(&[
            About::Words,
            About::Lists,
            About::Lists,
            About::Slices,
            About::Logs,
            About::Logs,
            About::Maps,
        ]);
        let model = chance.of(&[Model::Word8, Model::Word8, Model::X86, Model::Eadr]);
        let small = about != About::Maps && chance.once_in(3);
        let journal_words = if small { 4 + chance.below(13) } else { 32 };
        let mut writer = Writer::new(chance, about);
        let chance = &mut writer.chance;
        // Many short transactions, a few long ones, or so few that what follows a crash is explored too.
        let (depth, kills) = chance.of(&[1, 1, 1, 1, 1, 2, 3].map(|shape| (shape.min(2), shape == 3)));
        let file_system = depth > 1 && chance.once_in(4);
        let steps = chance.of(&[1, 2, 5]);
        let (most, then) = match (depth, kills) {
            (1, _) => (2 + 8 / steps, 0),
            (_, false) => (3, 2),
            (_, true) => (2, 1),
        };
        let mut transactions = writer.transactions(1, most, steps);
        let beginning = writer.beginning();
        if depth == 1 || writer.chance.once_in(2) {
            transactions.insert(0, Transaction { steps: beginning, end: End::Commit, elsewhere: false });
        } else {
            transactions[0].steps.splice(..0, beginning);
        }
        let then = writer.transactions(0, then, steps.min(2));
        Program { model, journal_words, depth, kills, file_system, transactions, then }
    }
}

impl Writer {
    fn new(mut chance: Chance, about: About) -> Self {
        // One or two groups, and of these often a few kinds only.
        let other = chance.of(&[about, about, About::Words, About::Lists, About::Logs]);
        let few = chance.once_in(2);
        let weight = |&(kind, _): &(About, Write)| match kind == about || kind == other {
            true if few => chance.of(&[0, 0, 20, 40]),
            true => chance.of(&[0, 6, 12, 24]),
            false => chance.of(&[0, 1, 1, 2]),
        };
        let mut weights: Vec<usize> = KINDS.iter().map(weight).collect();
        if weights.iter().all(|&weight| weight == 0) {
            weights.fill(1);
        }
        let (fences, aborts, threads) =
            (chance.of(&[2, 4, 12]), chance.of(&[3, 6, 40]), chance.of(&[2, 3, 8]));
        let (lists, logs) = (chance.of(&[1, 2]), chance.of(&[1, 1, 2]));
        Writer { chance, about, other, weights, fences, aborts, threads, lists, logs, id: 0 }
    }

    fn transactions(&mut self, least: usize, most: usize, steps: usize) -> Vec<Transaction> {
        let count = least + self.chance.below(most - least + 1);
        (0..count).map(|_| self.transaction(steps)).collect()
    }

    fn transaction(&mut self, most: usize) -> Transaction {
        let mut steps = Vec::new();
        for _ in 0..1 + self.chance.below(most) {
            if self.chance.once_in(self.fences) {
                steps.push(Step::Fence);
            }
            steps.push(self.step());
        }
        match self.chance.below(4 * self.fences) {
            0 | 1 => steps.push(Step::Fence),
            2 => steps = vec![Step::Fence],
            _ => {}
        }
        let end = match self.chance.once_in(self.aborts) {
            true => self.chance.of(&[End::Abort, End::Abort, End::Panic, End::Orphan]),
            false => End::Commit,
        };
        Transaction { steps, end, elsewhere: self.chance.once_in(self.threads) }
    }

    fn step(&mut self) -> Step {
        let mut number = self.chance.below(self.weights.iter().sum());
        let kind = self.weights.iter().position(|&weight| {
            let found = number < weight;
            number = number.wrapping_sub(weight);
            found
        });
        KINDS[kind.expect("less than their sum")].1(self)
    }

    /// What gives the rest something to work on.
    fn beginning(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        for about in [self.about, self.other] {
            match about {
                About::Words | About::Slices => {}
                About::Logs => {
                    let capacity = self.capacity();
                    steps.push(Step::Log { at: LogAt::Root(0), op: LogOp::Create { capacity, first: 1 } });
                }
                About::Maps => {
                    let (count, value) = (self.chance.of(&[3, 8, 17]), self.id());
                    let op = MapOp::InsertRun { key: 0, count, value };
                    steps.extend([Step::Tree(op), Step::Hash(op)]);
                }
                About::Lists => {
                    let build = self.build();
                    steps.push(Step::Push { list: 0, depth: 0, build, how: How::Stage, late: false });
                }
            }
        }
        steps
    }

    /// A number that nothing else of the program has, nor its neighbours.
    fn id(&mut self) -> u64 {
        self.id += 100;
        self.id
    }

    fn value(&mut self) -> Value {
        match self.chance.once_in(6) {
            true => Value::Committed,
            false => Value::New(self.id()),
        }
    }

    fn list(&mut self) -> usize {
        self.chance.below(self.lists)
    }

    fn how(&mut self) -> How {
        self.chance.of(&[How::Publish, How::Stage, How::Stage, How::FenceAndStage, How::Stream])
    }

    fn len(&mut self) -> usize {
        self.chance.of(&[0, 1, 3, 7, 20])
    }

    fn build(&mut self) -> Build {
        let data = if self.chance.once_in(3) { self.len() } else { 0 };
        Build { id: self.id(), data, side: self.chance.once_in(5) }
    }

    fn store_in_node(&mut self) -> Step {
        let (list, depth, value) = (self.list(), self.chance.of(&[0, 0, 1, 2]), self.value());
        Step::StoreInNode {
            list,
            depth,
            which: self.chance.of(&[Which::Near, Which::Far, Which::Both]),
            value,
        }
    }

    fn log(&mut self, op: LogOp) -> Step {
        let at = match self.chance.once_in(6) {
            true => LogAt::Head(self.list()),
            false => LogAt::Root(self.chance.below(self.logs)),
        };
        Step::Log { at, op }
    }

    fn capacity(&mut self) -> u64 {
        self.chance.of(&[64, 128, 192, 256, 512, 512])
    }

    fn record_len(&mut self) -> usize {
        self.chance.of(&[0, 1, 8, 9, 24, 70, 130])
    }

    fn map(&mut self, op: MapOp) -> Step {
        if self.chance.once_in(2) { Step::Tree(op) } else { Step::Hash(op) }
    }

    fn key(&mut self) -> u64 {
        self.chance.below(24) as u64
    }

    fn run(&mut self) -> u64 {
        2 + self.chance.below(20) as u64
    }
}
