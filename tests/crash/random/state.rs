//! [`State`]: what a region holds, in std's collections, and what each step makes of it.

use crate::program::{Build, LogAt, LogOp, MapOp, Step, Value, Which, numbers, record, text};
use crate::stored::{TWO, WORDS};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogState {
    pub capacity: u64,
    pub first: u64,
    pub records: Vec<Vec<u8>>,
}

impl LogState {
    fn new(capacity: u64, first: u64) -> Self {
        LogState { capacity: capacity.max(1).next_multiple_of(64), first, records: Vec::new() }
    }

    pub fn next(&self) -> u64 {
        self.first + self.records.len() as u64
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeState {
    pub id: u64,
    pub near: u64,
    pub far: u64,
    pub log: Option<LogState>,
    pub data: Option<Vec<u64>>,
    pub side: Vec<NodeState>,
}

impl NodeState {
    fn new(build: Build) -> Self {
        let data = (build.data > 0).then(|| numbers(build.id, build.data));
        let side = build.side.then(|| NodeState::new(build.of_side()));
        let side = side.into_iter().collect();
        NodeState { id: build.id, near: build.id, far: build.id, log: None, data, side }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub words: [u64; WORDS],
    pub lists: [Vec<NodeState>; TWO],
    pub slices: [Option<Vec<u64>>; TWO],
    pub text: Option<String>,
    pub logs: [Option<LogState>; TWO],
    pub tree: BTreeMap<u64, u64>,
    pub hash: BTreeMap<u64, u64>,
}

impl State {
    pub fn new() -> Self {
        State {
            words: [0; WORDS],
            lists: Default::default(),
            slices: Default::default(),
            text: None,
            logs: Default::default(),
            tree: BTreeMap::new(),
            hash: BTreeMap::new(),
        }
    }

    /// Without what is in logs; see [`crate::stored::seen`].
    pub fn without_logs(&self) -> State {
        fn strip(nodes: &mut [NodeState]) {
            for node in nodes {
                node.log = None;
                strip(&mut node.side);
            }
        }
        let mut state = self.clone();
        state.logs = Default::default();
        state.lists.iter_mut().for_each(|list| strip(list));
        state
    }

    /// The log's place: `None` where its node is not there.
    pub fn log(&mut self, at: LogAt) -> Option<&mut Option<LogState>> {
        match at {
            LogAt::Root(index) => Some(&mut self.logs[index]),
            LogAt::Head(list) => Some(&mut self.lists[list].first_mut()?.log),
        }
    }

    /// What a step does that was carried out and not refused.
    pub fn apply(&mut self, step: Step) {
        match step {
            Step::Fence | Step::Spare { .. } => {}
            Step::Store { word, value } => self.words[word] = value.number(),
            Step::StoreRun { from, count, value } => {
                let words = self.words[from..].iter_mut().take(count);
                words.zip(value..).for_each(|(word, value)| *word = value);
            }
            Step::StoreInNode { list, depth, which, value } => {
                if let Some(node) = self.lists[list].get_mut(depth) {
                    if which != Which::Far {
                        node.near = value.number();
                    }
                    if which != Which::Near {
                        node.far = value.number();
                    }
                }
            }
            Step::Push { list, depth, build, .. } => {
                let depth = depth.min(self.lists[list].len());
                self.lists[list].insert(depth, NodeState::new(build));
            }
            Step::Pop { list } => drop(self.lists[list].drain(..self.lists[list].len().min(1))),
            Step::Move { from, to } => {
                if !self.lists[from].is_empty() {
                    let node = self.lists[from].remove(0);
                    self.lists[to].insert(0, node);
                }
            }
            Step::Swap => self.lists.swap(0, 1),
            Step::Rewrite { list, depth, value, .. } => {
                if let Some(node) = self.lists[list].get_mut(depth) {
                    (node.near, node.far) = (value, value + 1);
                }
            }
            Step::Replace { list, build, keep, .. } => {
                if !keep {
                    self.lists[list].clear();
                }
                self.lists[list].insert(0, NodeState::new(build));
            }
            Step::FreeList { list } => self.lists[list].clear(),
            Step::Slice { index, len, id, .. } => self.slices[index] = Some(numbers(id, len)),
            Step::FreeSlice { index } => self.slices[index] = None,
            Step::Text { len, id, .. } => self.text = Some(text(id, len)),
            Step::FreeText => self.text = None,
            Step::Log { at, op } => {
                if let Some(log) = self.log(at) {
                    apply_to_log(log, op);
                }
            }
            Step::Tree(op) => apply_to_map(&mut self.tree, op),
            Step::Hash(op) => apply_to_map(&mut self.hash, op),
        }
    }
}

fn apply_to_log(place: &mut Option<LogState>, op: LogOp) {
    match (op, place.as_mut()) {
        (LogOp::Create { capacity, first }, None) => *place = Some(LogState::new(capacity, first)),
        (LogOp::Resize { capacity }, None) => *place = Some(LogState::new(capacity, 1)),
        (LogOp::Resize { capacity }, Some(log)) => log.capacity = LogState::new(capacity, 1).capacity,
        (LogOp::Destroy, _) => *place = None,
        (LogOp::Append { id, len }, Some(log)) => log.records.push(record(id, len)),
        (LogOp::AppendAll { id, count, len }, Some(log)) => {
            log.records.extend((0..count).map(|index| record(id + index as u64, len)));
        }
        (LogOp::TruncateFront { keep }, Some(log)) => {
            let gone = log.records.len().saturating_sub(keep);
            log.records.drain(..gone);
            log.first += gone as u64;
        }
        (LogOp::TruncateBack { drop }, Some(log)) => {
            log.records.truncate(log.records.len().saturating_sub(drop));
        }
        _ => {}
    }
}

fn apply_to_map(map: &mut BTreeMap<u64, u64>, op: MapOp) {
    match op {
        MapOp::Insert { key, value } => map.extend([(key, value)]),
        MapOp::InsertRun { key, count, value } => {
            map.extend((0..count).map(|index| (key + index, value + index)));
        }
        MapOp::Remove { key } => map.retain(|found, _| *found != key),
        MapOp::RemoveRun { key, count } => map.retain(|found, _| !(key..key + count).contains(found)),
        MapOp::Clear => map.clear(),
    }
}

impl Value {
    pub fn number(self) -> u64 {
        match self {
            Value::New(number) => number,
            Value::Committed => unreachable!("it was looked up when the step was carried out"),
        }
    }
}
