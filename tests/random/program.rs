//! [`Program`]: transactions by chance, and under which conditions they are explored.

use crate::chance::Chance;
use crate::stored::{TWO, WORDS};
use indelible::power::Model;

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
        far: bool,
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

/// What a program is mostly about: programs about everything seldom do the same thing twice, which is when it
/// goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    All,
    Words,
    Lists,
    Logs,
    Maps,
    Slices,
}

struct Writer {
    chance: Chance,
    about: About,
    /// A step in so many is a fence.
    fences: usize,
    /// Small programs meet in the same few places.
    lists: usize,
    logs: usize,
    id: u64,
}

impl Program {
    pub fn random(seed: u64) -> Program {
        let mut chance = Chance::new(seed);
        let about = chance.of(&[
            About::All,
            About::Words,
            About::Lists,
            About::Logs,
            About::Logs,
            About::Maps,
            About::Slices,
        ]);
        let model = chance.of(&[Model::Word8, Model::Word8, Model::X86, Model::Eadr]);
        let small = about != About::Maps && chance.once_in(3);
        let journal_words = if small { 4 + chance.below(13) } else { 32 };
        let depth = if chance.once_in(3) { 2 } else { 1 };
        let kills = depth > 1 && chance.once_in(2);
        let file_system = depth > 1 && chance.once_in(4);
        let (fences, lists, logs) = (chance.of(&[2, 4, 12]), chance.of(&[1, 2]), chance.of(&[1, 1, 2]));
        let mut writer = Writer { chance, about, fences, lists, logs, id: 0 };
        let count = if depth > 1 { 3 } else { 5 };
        let mut transactions = writer.transactions(2, count, 5);
        if !writer.chance.once_in(4) {
            transactions[0].steps.splice(..0, writer.beginning());
        }
        let then = match depth {
            1 => Vec::new(),
            _ => writer.transactions(1, 2, 3),
        };
        Program { model, journal_words, depth, kills, file_system, transactions, then }
    }
}

impl Writer {
    fn transactions(&mut self, least: usize, most: usize, steps: usize) -> Vec<Transaction> {
        let count = least + self.chance.below(most - least + 1);
        (0..count).map(|_| self.transaction(steps)).collect()
    }

    fn transaction(&mut self, most: usize) -> Transaction {
        let mut steps = Vec::new();
        for _ in 0..1 + self.chance.below(most) {
            steps.push(self.step());
            if self.chance.once_in(self.fences) {
                steps.push(Step::Fence);
            }
        }
        let end = match self.chance.below(12) {
            0 | 1 => End::Abort,
            2 => self.chance.of(&[End::Panic, End::Orphan]),
            _ => End::Commit,
        };
        Transaction { steps, end, elsewhere: self.chance.once_in(3) }
    }

    /// What gives the rest something to work on.
    fn beginning(&mut self) -> Vec<Step> {
        let push = |build| Step::Push { list: 0, depth: 0, build, how: How::Stage, late: false };
        match self.about {
            About::Words | About::Slices => Vec::new(),
            About::Logs => {
                let capacity = self.chance.of(&[128, 256, 512]);
                vec![Step::Log { at: LogAt::Root(0), op: LogOp::Create { capacity, first: 1 } }]
            }
            About::Maps => {
                let (count, value) = (self.chance.of(&[3, 8, 17]), self.id());
                let op = MapOp::InsertRun { key: 0, count, value };
                vec![if self.chance.once_in(2) { Step::Tree(op) } else { Step::Hash(op) }]
            }
            About::All | About::Lists => {
                vec![push(self.build()), push(self.build())]
            }
        }
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

    fn step(&mut self) -> Step {
        let about = match self.about {
            About::All => self.chance.of(&[
                About::Words,
                About::Lists,
                About::Lists,
                About::Logs,
                About::Logs,
                About::Maps,
                About::Slices,
            ]),
            about if !self.chance.once_in(5) => about,
            _ => self.chance.of(&[About::Words, About::Lists, About::Slices, About::Logs]),
        };
        match about {
            About::All | About::Words => self.words(),
            About::Lists => self.lists(),
            About::Logs => Step::Log { at: self.log(), op: self.log_op() },
            About::Maps => match self.chance.once_in(2) {
                true => Step::Tree(self.map_op()),
                false => Step::Hash(self.map_op()),
            },
            About::Slices => self.slices(),
        }
    }

    fn words(&mut self) -> Step {
        let value = self.value();
        match self.chance.below(4) {
            0 => {
                let from = self.chance.below(WORDS);
                Step::StoreRun { from, count: 2 + self.chance.below(WORDS), value: self.id() }
            }
            1 => {
                let (list, depth) = (self.list(), self.chance.of(&[0, 0, 1]));
                Step::StoreInNode { list, depth, far: self.chance.once_in(2), value }
            }
            // One of a few, on different lines.
            _ => Step::Store { word: self.chance.of(&[0, 1, 10, 19]), value },
        }
    }

    fn lists(&mut self) -> Step {
        let (list, how) = (self.list(), self.how());
        match self.chance.below(14) {
            0..5 => {
                let depth = self.chance.of(&[0, 0, 0, 1, 2]);
                Step::Push { list, depth, build: self.build(), how, late: self.chance.once_in(3) }
            }
            5 | 6 => Step::Pop { list },
            7 => Step::Move { from: list, to: self.chance.below(TWO) },
            8 => Step::Swap,
            9 => Step::Rewrite { list, depth: self.chance.below(2), value: self.id(), how },
            10 => Step::Replace { list, build: self.build(), how, keep: self.chance.once_in(2) },
            11 => Step::FreeList { list },
            _ => {
                let (depth, value) = (self.chance.of(&[0, 0, 1, 2]), self.value());
                Step::StoreInNode { list, depth, far: self.chance.once_in(2), value }
            }
        }
    }

    fn slices(&mut self) -> Step {
        let (index, len, how) = (self.chance.below(TWO), self.len(), self.how());
        match self.chance.below(7) {
            0..3 => Step::Slice { index, len, id: self.id(), how },
            3 => Step::FreeSlice { index },
            4 => Step::Text { len: len * 5, id: self.id(), how },
            5 => Step::FreeText,
            _ => Step::Spare { len, how },
        }
    }

    fn log(&mut self) -> LogAt {
        match self.chance.once_in(4) {
            true => LogAt::Head(self.list()),
            false => LogAt::Root(self.chance.below(self.logs)),
        }
    }

    fn log_op(&mut self) -> LogOp {
        let len = self.chance.of(&[0, 1, 8, 9, 24, 70, 130]);
        let capacity = self.chance.of(&[64, 128, 128, 192, 256, 512]);
        match self.chance.below(16) {
            0..3 => LogOp::Create { capacity, first: self.chance.of(&[1, 1, 7]) },
            3 => LogOp::Resize { capacity },
            4..9 => LogOp::Append { id: self.id(), len },
            9 | 10 => LogOp::AppendAll { id: self.id(), count: self.chance.below(5), len: len.min(24) },
            11 | 12 => LogOp::TruncateFront { keep: self.chance.of(&[0, 0, 1, 2]) },
            13 | 14 => LogOp::TruncateBack { drop: self.chance.of(&[1, 1, 2, 9]) },
            _ => LogOp::Destroy,
        }
    }

    fn map_op(&mut self) -> MapOp {
        let (key, value) = (self.chance.below(24) as u64, self.id());
        match self.chance.below(12) {
            0..5 => MapOp::Insert { key, value },
            5..7 => MapOp::InsertRun { key, count: 2 + self.chance.below(20) as u64, value },
            7..10 => MapOp::Remove { key },
            10 => MapOp::RemoveRun { key, count: 2 + self.chance.below(20) as u64 },
            _ => MapOp::Clear,
        }
    }
}
