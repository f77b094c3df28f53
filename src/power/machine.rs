//! [`Machine`]: what memory may hold after a crash (docs/design.md, 14.2).
//!
//! A unit of memory has the list of values that were stored to it, and a lower bound; a fence raises the
//! bound to the value that the unit had when the fencing thread flushed it. After a power failure a unit has
//! any value at or above its bound; after a kill it has the last one, and the bound stays where it was.
//! Everything here is plain data, so that it can be checked against a plain enumeration.

use crate::observe::Origin;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

/// Bytes in a word.
pub(crate) const WORD: usize = 8;
/// Words in a line.
pub(crate) const LINE_WORDS: usize = 8;

/// Which values a power failure may leave; see the [module](super).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Model {
    /// Each aligned 8-byte word survives by itself. A superset of what x86-64 and aarch64 allow.
    #[default]
    Word8,
    /// The stores to a 64-byte line survive as a prefix of their order, as on x86-64; words that were
    /// streamed past the cache survive by themselves.
    X86,
    /// The CPU caches are persistent: what was visible survives, what was streamed needs its fence.
    Eadr,
}

/// A value that was stored, and by whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version<V> {
    pub value: V,
    /// `None` for what was there from the start.
    pub origin: Option<Origin>,
    /// Place in the order of all stores.
    pub sequence: u64,
}

/// The versions of a unit that may still be found in memory, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct History<V> {
    versions: Vec<Version<V>>,
    /// The first so many versions are alternatives: an earlier crash left one of them.
    alternatives: usize,
    /// The oldest version that memory may hold (all alternatives, if it is one of them).
    lower: usize,
}

impl<V: Copy + PartialEq> History<V> {
    fn certain(value: V) -> Self {
        History { versions: vec![Version { value, origin: None, sequence: 0 }], alternatives: 1, lower: 0 }
    }

    fn last(&self) -> &Version<V> {
        self.versions.last().expect("a history has a version")
    }

    fn push(&mut self, value: V, origin: Origin, sequence: u64) {
        self.versions.push(Version { value, origin: Some(origin), sequence });
    }

    /// The version that a flush writes back, if one is known.
    fn flushed(&self) -> Option<usize> {
        let last = self.versions.len() - 1;
        (last >= self.alternatives || self.alternatives == 1).then_some(last)
    }

    fn raise(&mut self, to: usize) {
        self.lower = self.lower.max(to);
    }

    /// What a power failure may leave.
    fn survivors(&self) -> &[Version<V>] {
        match self.lower < self.alternatives {
            true => &self.versions,
            false => &self.versions[self.lower..],
        }
    }

    /// After a power failure: the survivors, one of which is in memory.
    fn crashed(&self) -> Self {
        let mut versions = self.survivors().to_vec();
        if versions.iter().all(|version| version.value == versions[0].value) {
            versions.drain(..versions.len() - 1);
        }
        History { alternatives: versions.len(), versions, lower: 0 }
    }

    /// The values among the alternatives, each once, in the order in which they were stored last.
    fn open(&self, unit: Unit, words: impl Fn(&V) -> Vec<u64>) -> Open {
        let mut last: Vec<&Version<V>> = Vec::new();
        for version in &self.versions {
            last.retain(|other| other.value != version.value);
            last.push(version);
        }
        let index = |value: &V| last.iter().position(|version| version.value == *value).unwrap_or(0);
        Open {
            unit,
            values: last.iter().map(|version| words(&version.value)).collect(),
            origins: last.iter().map(|version| version.origin).collect(),
            stored: self.versions.iter().map(|version| (version.sequence, index(&version.value))).collect(),
        }
    }

    /// Whether an earlier crash left it open what is there, and nothing was stored since.
    fn undecided(&self) -> bool {
        self.alternatives > 1 && self.versions.len() == self.alternatives
    }

    fn decide(&mut self, value: V) {
        self.versions.retain(|version| version.value == value);
        self.versions.drain(..self.versions.len() - 1);
        self.alternatives = 1;
        self.lower = 0;
    }

    fn hash_values(&self, state: &mut impl Hasher, hash: impl Fn(&V) -> u64) {
        (self.versions.len(), self.alternatives, self.lower).hash(state);
        self.versions.iter().for_each(|version| hash(&version.value).hash(state));
    }

    /// Whether this is what memory durably holds anyway.
    fn is_plain(&self, base: &V) -> bool {
        self.versions.len() == 1 && self.versions[0].value == *base
    }
}

/// A line, as a whole or word by word.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "the model makes nearly all lines of one kind")]
enum Line {
    Whole(History<[u64; LINE_WORDS]>),
    Words([History<u64>; LINE_WORDS]),
}

impl Line {
    /// After a power failure.
    fn crashed(&self) -> Self {
        match self {
            Line::Whole(history) => Line::Whole(history.crashed()),
            Line::Words(words) => Line::Words(words.each_ref().map(History::crashed)),
        }
    }
}

/// A unit of memory: a line (`word` is its first), or a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Unit {
    /// Index of the (first) word.
    pub word: usize,
    /// Whether it is a whole line.
    pub whole: bool,
}

/// A choice that a power failure left open.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub unit: Unit,
    /// The values of its words, oldest first; the last is that of the last store.
    pub values: Vec<Vec<u64>>,
    pub origins: Vec<Option<Origin>>,
    /// When which value was stored: its place in the order of all stores, and its index.
    pub stored: Vec<(u64, usize)>,
}

impl Open {
    /// Whether the values differ in these words; a line may be open for the sake of others in it.
    pub(crate) fn differs_in(&self, words: &Range<usize>) -> bool {
        let first = words.start.saturating_sub(self.unit.word);
        let end = (words.end - self.unit.word).min(self.values[0].len());
        self.values.iter().any(|value| value[first..end] != self.values[0][first..end])
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Machine {
    model: Model,
    base: Arc<Vec<u64>>,
    /// Bytes of memory; it may have grown past `base`, with zeros.
    len: usize,
    lines: BTreeMap<usize, Line>,
    /// What each thread flushed and did not fence.
    pending: BTreeMap<u32, Vec<(Unit, usize)>>,
    sequence: u64,
    /// The memory's unsafe-shutdown count. It rises while the region is closed, and never with what else fails
    /// here: ADR is at work.
    shutdowns: u64,
}

impl Machine {
    /// Memory that durably holds these words.
    pub(crate) fn new(model: Model, base: Arc<Vec<u64>>) -> Self {
        let len = base.len() * WORD;
        Machine {
            model,
            base,
            len,
            lines: BTreeMap::new(),
            pending: BTreeMap::new(),
            sequence: 0,
            shutdowns: 1,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn shutdowns(&self) -> u64 {
        self.shutdowns
    }

    /// The memory loses power without saving everything, and the region is closed.
    pub(crate) fn unsafe_shutdown(&mut self) {
        self.shutdowns += 1;
    }

    pub(crate) fn grow(&mut self, len: usize) {
        self.len = self.len.max(len);
    }

    fn base(&self, word: usize) -> u64 {
        self.base.get(word).copied().unwrap_or(0)
    }

    fn base_line(&self, line: usize) -> [u64; LINE_WORDS] {
        std::array::from_fn(|i| self.base(line * LINE_WORDS + i))
    }

    /// What a load finds.
    pub(crate) fn visible(&self, word: usize) -> u64 {
        match self.lines.get(&(word / LINE_WORDS)) {
            None => self.base(word),
            Some(Line::Whole(history)) => history.last().value[word % LINE_WORDS],
            Some(Line::Words(words)) => words[word % LINE_WORDS].last().value,
        }
    }

    /// Lines that were stored to, or that a crash left open.
    pub(crate) fn touched(&self) -> impl Iterator<Item = usize> {
        self.lines.keys().copied()
    }

    fn line(&mut self, line: usize) -> &mut Line {
        let base = self.base_line(line);
        let whole = self.model == Model::X86;
        self.lines.entry(line).or_insert_with(|| match whole {
            true => Line::Whole(History::certain(base)),
            false => Line::Words(base.map(History::certain)),
        })
    }

    /// An ordinary store of a word.
    pub(crate) fn store(&mut self, word: usize, value: u64, origin: Origin) {
        self.sequence += 1;
        let (sequence, eadr) = (self.sequence, self.model == Model::Eadr);
        match self.line(word / LINE_WORDS) {
            Line::Whole(history) => {
                let mut line = history.last().value;
                line[word % LINE_WORDS] = value;
                history.push(line, origin, sequence);
            }
            Line::Words(words) => {
                let history = &mut words[word % LINE_WORDS];
                history.push(value, origin, sequence);
                if eadr {
                    // It is in the cache, and the cache is persistent.
                    history.raise(history.versions.len() - 1);
                }
            }
        }
    }

    /// A store past the cache: a word by itself, durable with the next fence of this thread.
    pub(crate) fn stream(&mut self, thread: u32, word: usize, value: u64, origin: Origin) {
        self.split(word / LINE_WORDS);
        self.sequence += 1;
        let sequence = self.sequence;
        if let Line::Words(words) = self.line(word / LINE_WORDS) {
            let history = &mut words[word % LINE_WORDS];
            history.push(value, origin, sequence);
            let index = history.versions.len() - 1;
            self.pending.entry(thread).or_default().push((Unit { word, whole: false }, index));
        }
    }

    /// From now on the words of this line survive one by one: a superset of what a line may do.
    fn split(&mut self, line: usize) {
        let base = self.base_line(line);
        let entry = self.lines.entry(line).or_insert_with(|| Line::Words(base.map(History::certain)));
        if let Line::Whole(history) = entry {
            let words = std::array::from_fn(|i| History {
                versions: history
                    .versions
                    .iter()
                    .map(|v| Version { value: v.value[i], origin: v.origin, sequence: v.sequence })
                    .collect(),
                alternatives: history.alternatives,
                lower: history.lower,
            });
            *entry = Line::Words(words);
            // A flush of the whole line is one of each word.
            for pending in self.pending.values_mut() {
                let (whole, rest): (Vec<_>, Vec<_>) =
                    pending.drain(..).partition(|(unit, _)| unit.whole && unit.word / LINE_WORDS == line);
                *pending = rest;
                for (unit, index) in whole {
                    pending
                        .extend((0..LINE_WORDS).map(|i| (Unit { word: unit.word + i, whole: false }, index)));
                }
            }
        }
    }

    /// A flush of a line.
    pub(crate) fn flush(&mut self, thread: u32, line: usize) {
        let Some(entry) = self.lines.get(&line) else { return };
        let pending = self.pending.entry(thread).or_default();
        let first = line * LINE_WORDS;
        match entry {
            Line::Whole(history) => {
                pending.extend(history.flushed().map(|index| (Unit { word: first, whole: true }, index)));
            }
            Line::Words(words) => pending.extend(words.iter().enumerate().filter_map(|(i, history)| {
                history.flushed().map(|index| (Unit { word: first + i, whole: false }, index))
            })),
        }
    }

    /// A fence.
    pub(crate) fn fence(&mut self, thread: u32) {
        for (unit, index) in self.pending.remove(&thread).unwrap_or_default() {
            match self.lines.get_mut(&(unit.word / LINE_WORDS)) {
                Some(Line::Whole(history)) => history.raise(index),
                Some(Line::Words(words)) => words[unit.word % LINE_WORDS].raise(index),
                None => {}
            }
        }
    }

    /// Everything that is visible becomes durable, as `fsync` of a file on a DAX file system makes it.
    pub(crate) fn settle(&mut self) {
        for line in self.lines.values_mut() {
            match line {
                Line::Whole(history) => history.lower = history.flushed().unwrap_or(history.lower),
                Line::Words(words) => {
                    words.iter_mut().for_each(|h| h.lower = h.flushed().unwrap_or(h.lower));
                }
            }
        }
    }

    /// The power fails: each unit takes one of its survivors, which one is not decided yet.
    pub(crate) fn power_failure(&self) -> Machine {
        let lines = self.lines.iter().map(|(&at, line)| (at, line.crashed())).collect();
        Machine { lines, pending: BTreeMap::new(), base: self.base.clone(), ..*self }
    }

    /// The process dies: what is visible stays, what was not fenced may yet be lost.
    pub(crate) fn kill(&self) -> Machine {
        Machine { pending: BTreeMap::new(), ..self.clone() }
    }

    /// The unit that holds this word, if it is not decided what is in it.
    pub(crate) fn undecided(&self, word: usize) -> Option<Open> {
        match self.lines.get(&(word / LINE_WORDS))? {
            Line::Whole(history) if history.undecided() => {
                let unit = Unit { word: word / LINE_WORDS * LINE_WORDS, whole: true };
                Some(history.open(unit, |line| line.to_vec()))
            }
            Line::Words(words) if words[word % LINE_WORDS].undecided() => {
                Some(words[word % LINE_WORDS].open(Unit { word, whole: false }, |&value| vec![value]))
            }
            _ => None,
        }
    }

    /// The undecided units among these words.
    pub(crate) fn undecided_in(&self, words: Range<usize>) -> Vec<Open> {
        if words.is_empty() {
            return Vec::new();
        }
        let lines = words.start / LINE_WORDS..(words.end - 1) / LINE_WORDS + 1;
        let mut open: Vec<Open> = Vec::new();
        for (&line, _) in self.lines.range(lines) {
            for word in (line * LINE_WORDS..(line + 1) * LINE_WORDS).filter(|word| words.contains(word)) {
                let found = self.undecided(word);
                open.extend(found.filter(|found| open.last().is_none_or(|last| last.unit != found.unit)));
            }
        }
        open
    }

    /// The units of these words that a power failure could leave with something else in those words than is visible.
    pub(crate) fn undurable_in(&self, words: Range<usize>) -> Vec<Open> {
        if words.is_empty() {
            return Vec::new();
        }
        let lines = words.start / LINE_WORDS..(words.end - 1) / LINE_WORDS + 1;
        let lines = self.lines.range(lines).map(|(&at, line)| (at, line.crashed())).collect();
        let failed = Machine { lines, pending: BTreeMap::new(), base: self.base.clone(), ..*self };
        failed.undecided_in(words.clone()).into_iter().filter(|open| open.differs_in(&words)).collect()
    }

    /// All undecided units.
    pub(crate) fn all_undecided(&self) -> Vec<Open> {
        self.undecided_in(0..self.len / WORD)
    }

    /// Decides what is in a unit that is open.
    pub(crate) fn decide(&mut self, open: &Open, index: usize) {
        let value = &open.values[index];
        match self.lines.get_mut(&(open.unit.word / LINE_WORDS)) {
            Some(Line::Whole(history)) => history.decide(std::array::from_fn(|i| value[i])),
            Some(Line::Words(words)) => words[open.unit.word % LINE_WORDS].decide(value[0]),
            None => {}
        }
    }

    /// A number for this state; equal states have equal numbers.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut state = DefaultHasher::new();
        (self.len, self.model, self.shutdowns).hash(&mut state);
        for (at, line) in &self.lines {
            match line {
                Line::Whole(history) => {
                    if history.is_plain(&self.base_line(*at)) {
                        continue;
                    }
                    at.hash(&mut state);
                    history.hash_values(&mut state, |line| {
                        let mut one = DefaultHasher::new();
                        line.hash(&mut one);
                        one.finish()
                    });
                }
                Line::Words(words) => {
                    for (i, history) in words.iter().enumerate() {
                        let word = at * LINE_WORDS + i;
                        if history.is_plain(&self.base(word)) {
                            continue;
                        }
                        word.hash(&mut state);
                        history.hash_values(&mut state, |&value| value);
                    }
                }
            }
        }
        for (thread, pending) in &self.pending {
            (thread, pending).hash(&mut state);
        }
        state.finish()
    }
}
