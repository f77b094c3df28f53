//! [`Root`]: what the programs work on. Its words, and those of a [`Node`], lie on several lines.

use crate::state::{LogState, NodeState, State};
use indelible::collections::{BTreeMap, HashMap, Log};
use indelible::{Link, Persistent, Read, Word};

pub const WORDS: usize = 20;
/// Lists, slices and logs of the root: two of each.
pub const TWO: usize = 2;

#[derive(Persistent)]
#[repr(C)]
pub struct Node {
    pub id: u64,
    pub near: Word<u64>,
    pub next: Link<Node>,
    pub log: Log,
    fill: [u64; 6],
    pub far: Word<u64>,
    pub data: Link<[u64]>,
    pub side: Link<Node>,
    complement: u64,
}

impl Node {
    pub fn new(id: u64) -> Self {
        Node {
            id,
            near: Word::new(id),
            next: Link::null(),
            log: Log::new(),
            fill: [id; 6],
            far: Word::new(id),
            data: Link::null(),
            side: Link::null(),
            complement: !id,
        }
    }
}

#[derive(Persistent)]
#[repr(C)]
pub struct Root {
    pub words: [Word<u64>; WORDS],
    pub lists: [Link<Node>; TWO],
    pub slices: [Link<[u64]>; TWO],
    pub text: Link<str>,
    pub logs: [Log; TWO],
    pub tree: BTreeMap<u64, u64>,
    pub hash: HashMap<u64, u64>,
}

impl Root {
    pub fn new() -> Self {
        Root {
            words: Default::default(),
            lists: Default::default(),
            slices: Default::default(),
            text: Link::null(),
            logs: Default::default(),
            tree: BTreeMap::new(),
            hash: HashMap::with_seed(7),
        }
    }
}

/// The records of a log, as they were committed.
pub fn log_state(log: &Log) -> Option<LogState> {
    if log.capacity() == 0 {
        return None;
    }
    let records: Vec<_> = log.iter().map(|(_, record)| record.to_vec()).collect();
    let first = log.next_seq() - records.len() as u64;
    assert_eq!(log.len(), records.len() as u64, "the length of a log");
    assert_eq!(log.first_seq(), (!records.is_empty()).then_some(first), "the first of a log");
    assert!(log.iter().map(|(seq, _)| seq).eq(first..log.next_seq()), "numbers of records");
    Some(LogState { capacity: log.capacity(), first, records })
}

/// How a log is read: in a transaction only the model knows what was appended.
type ReadLog<'r> = &'r dyn Fn(&Log) -> Option<LogState>;

fn list<'a>(read: &impl Read<'a>, mut slot: &'a Link<Node>, log: ReadLog) -> Vec<NodeState> {
    let mut nodes = Vec::new();
    while let Some(node) = read.get(slot) {
        assert_eq!((node.complement, node.fill), (!node.id, [node.id; 6]), "a reachable object is torn");
        nodes.push(NodeState {
            id: node.id,
            near: read.load(&node.near),
            far: read.load(&node.far),
            log: log(&node.log),
            data: read.get(&node.data).map(<[u64]>::to_vec),
            side: list(read, &node.side, log),
        });
        slot = &node.next;
    }
    nodes
}

fn state<'a>(read: &impl Read<'a>, root: &'a Root, log: ReadLog) -> State {
    State {
        words: root.words.each_ref().map(|word| read.load(word)),
        lists: root.lists.each_ref().map(|slot| list(read, slot, log)),
        slices: root.slices.each_ref().map(|slot| read.get(slot).map(<[u64]>::to_vec)),
        text: read.get(&root.text).map(str::to_string),
        logs: root.logs.each_ref().map(log),
        tree: root.tree.iter(read).map(|(key, value)| (*key, *value)).collect(),
        hash: root.hash.iter(read).map(|(key, value)| (*key, *value)).collect(),
    }
}

/// Everything that is committed.
pub fn committed(root: &Root) -> State {
    state(&indelible::Committed, root, &log_state)
}

/// Everything as a transaction sees it, except for logs: their records can't be read before the commit.
pub fn seen<'a>(read: &impl Read<'a>, root: &'a Root) -> State {
    state(read, root, &|_| None)
}
