//! [`Machine`]: what memory may hold after a crash (docs/design.md, 14.2).
//!
//! Each unit of memory has the list of values that were stored to it, and a lower bound. A fence raises the bound to
//! the value that the unit had when the fencing thread flushed it. After a power failure a unit has any value at or
//! above its bound; after a kill it has the last one, and the bound stays where it was. All of it is plain data, so
//! that the tests can compare it with a plain enumeration.

#[cfg(test)]
mod tests;

use super::unit::{LINE_WORDS, Open, Unit, WORD};
use super::versions::Versions;
use crate::observe::Origin;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

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

/// The versions of a line, as a whole or word by word.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "the model makes nearly all lines of one kind")]
enum Line {
    Whole(Versions<[u64; LINE_WORDS]>),
    Words([Versions<u64>; LINE_WORDS]),
}

impl Line {
    /// After a power failure.
    fn crashed(&self) -> Self {
        match self {
            Line::Whole(versions) => Line::Whole(versions.crashed()),
            Line::Words(words) => Line::Words(words.each_ref().map(Versions::crashed)),
        }
    }
}

/// Memory and the CPU's caches before it.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    model: Model,
    /// The words that memory durably held at the start.
    base: Arc<Vec<u64>>,
    /// Length in bytes. Memory that has grown past `base` holds zeros there.
    len: usize,
    /// Lines that were stored to, or that a crash left open, by number.
    lines: BTreeMap<usize, Line>,
    /// By thread: units that it flushed and has not fenced yet, each with the index of its version then.
    pending: BTreeMap<u32, Vec<(Unit, usize)>>,
    /// How many stores there were.
    sequence: u64,
    /// The memory's unsafe-shutdown count. It rises while the region is closed, and with no other crash: ADR saves
    /// everything that it has to.
    shutdowns: u64,
}

impl Machine {
    /// Memory that durably holds these words.
    pub(super) fn new(model: Model, base: Arc<Vec<u64>>) -> Self {
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

    /// Memory that durably holds what is visible here.
    pub(super) fn made_durable(&self, model: Model) -> Self {
        Machine::new(model, Arc::new((0..self.len / WORD).map(|word| self.visible(word)).collect()))
    }

    /// Length in bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The unsafe-shutdown count.
    pub(super) fn shutdowns(&self) -> u64 {
        self.shutdowns
    }

    /// The memory loses power without saving everything, and the region is closed.
    pub(super) fn unsafe_shutdown(&mut self) {
        self.shutdowns += 1;
    }

    /// Memory grows to `len` bytes.
    pub(super) fn grow(&mut self, len: usize) {
        self.len = self.len.max(len);
    }

    /// The words that memory durably held at the start; what has grown behind them is zero.
    pub(super) fn base_words(&self) -> &[u64] {
        &self.base
    }

    /// The durable value of a word at the start.
    fn base(&self, word: usize) -> u64 {
        self.base.get(word).copied().unwrap_or(0)
    }

    fn base_line(&self, line: usize) -> [u64; LINE_WORDS] {
        std::array::from_fn(|i| self.base(line * LINE_WORDS + i))
    }

    /// What a load finds.
    pub(super) fn visible(&self, word: usize) -> u64 {
        match self.lines.get(&(word / LINE_WORDS)) {
            None => self.base(word),
            Some(Line::Whole(versions)) => versions.last()[word % LINE_WORDS],
            Some(Line::Words(words)) => *words[word % LINE_WORDS].last(),
        }
    }

    /// Lines that were stored to, or that a crash left open.
    pub(super) fn touched(&self) -> impl Iterator<Item = usize> {
        self.lines.keys().copied()
    }

    /// The versions of a line, which may be stored to.
    fn line(&mut self, line: usize) -> &mut Line {
        let base = self.base_line(line);
        let whole = self.model == Model::X86;
        self.lines.entry(line).or_insert_with(|| match whole {
            true => Line::Whole(Versions::certain(base)),
            false => Line::Words(base.map(Versions::certain)),
        })
    }

    /// An ordinary store of a word.
    pub(super) fn store(&mut self, word: usize, value: u64, origin: Origin) {
        self.sequence += 1;
        let (sequence, eadr) = (self.sequence, self.model == Model::Eadr);
        match self.line(word / LINE_WORDS) {
            Line::Whole(versions) => {
                let mut line = *versions.last();
                line[word % LINE_WORDS] = value;
                versions.push(line, origin, sequence);
            }
            Line::Words(words) => {
                let versions = &mut words[word % LINE_WORDS];
                versions.push(value, origin, sequence);
                if eadr {
                    // It is in the cache, and the cache is persistent.
                    versions.raise_to_last();
                }
            }
        }
    }

    /// A store past the cache: a word by itself, durable with the next fence of this thread.
    pub(super) fn stream(&mut self, thread: u32, word: usize, value: u64, origin: Origin) {
        self.split(word / LINE_WORDS);
        self.sequence += 1;
        let sequence = self.sequence;
        if let Line::Words(words) = self.line(word / LINE_WORDS) {
            let versions = &mut words[word % LINE_WORDS];
            let index = versions.push(value, origin, sequence);
            self.pending.entry(thread).or_default().push((Unit { word, whole: false }, index));
        }
    }

    /// From now on each word of this line survives by itself, which allows more than a line does.
    fn split(&mut self, line: usize) {
        let base = self.base_line(line);
        let entry = self.lines.entry(line).or_insert_with(|| Line::Words(base.map(Versions::certain)));
        if let Line::Whole(versions) = entry {
            *entry = Line::Words(versions.split());
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
    pub(super) fn flush(&mut self, thread: u32, line: usize) {
        let Some(entry) = self.lines.get(&line) else { return };
        let pending = self.pending.entry(thread).or_default();
        let first = line * LINE_WORDS;
        match entry {
            Line::Whole(versions) => {
                pending.extend(versions.flushed().map(|index| (Unit { word: first, whole: true }, index)));
            }
            Line::Words(words) => pending.extend(words.iter().enumerate().filter_map(|(i, versions)| {
                versions.flushed().map(|index| (Unit { word: first + i, whole: false }, index))
            })),
        }
    }

    /// A fence.
    pub(super) fn fence(&mut self, thread: u32) {
        for (unit, index) in self.pending.remove(&thread).unwrap_or_default() {
            match self.lines.get_mut(&(unit.word / LINE_WORDS)) {
                Some(Line::Whole(versions)) => versions.raise(index),
                Some(Line::Words(words)) => words[unit.word % LINE_WORDS].raise(index),
                None => {}
            }
        }
    }

    /// Everything visible becomes durable, as `fsync` of a file on a DAX file system makes it.
    pub(super) fn sync(&mut self) {
        for line in self.lines.values_mut() {
            match line {
                Line::Whole(versions) => versions.sync(),
                Line::Words(words) => words.iter_mut().for_each(Versions::sync),
            }
        }
    }

    /// The power fails. Which of its survivors each unit has is not decided yet.
    pub(super) fn power_failure(&self) -> Machine {
        let lines = self.lines.iter().map(|(&at, line)| (at, line.crashed())).collect();
        Machine { lines, pending: BTreeMap::new(), base: self.base.clone(), ..*self }
    }

    /// The process dies. What is visible stays so; what was not fenced may still be lost.
    pub(super) fn kill(&self) -> Machine {
        Machine { pending: BTreeMap::new(), ..self.clone() }
    }

    /// The unit that holds this word, if its value is undecided.
    pub(super) fn undecided(&self, word: usize) -> Option<Open> {
        match self.lines.get(&(word / LINE_WORDS))? {
            Line::Whole(versions) if versions.undecided() => {
                let unit = Unit { word: word / LINE_WORDS * LINE_WORDS, whole: true };
                Some(versions.open(unit, |line| line.to_vec()))
            }
            Line::Words(words) if words[word % LINE_WORDS].undecided() => {
                Some(words[word % LINE_WORDS].open(Unit { word, whole: false }, |&value| vec![value]))
            }
            _ => None,
        }
    }

    /// The undecided units among these words.
    pub(super) fn undecided_in(&self, words: Range<usize>) -> Vec<Open> {
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

    /// The units of these words in which a power failure could leave something other than what is visible there.
    pub(super) fn undurable_in(&self, words: Range<usize>) -> Vec<Open> {
        if words.is_empty() {
            return Vec::new();
        }
        let lines = words.start / LINE_WORDS..(words.end - 1) / LINE_WORDS + 1;
        let lines = self.lines.range(lines).map(|(&at, line)| (at, line.crashed())).collect();
        let failed = Machine { lines, pending: BTreeMap::new(), base: self.base.clone(), ..*self };
        failed.undecided_in(words.clone()).into_iter().filter(|open| open.differs_in(&words)).collect()
    }

    /// All undecided units.
    pub(super) fn all_undecided(&self) -> Vec<Open> {
        self.undecided_in(0..self.len / WORD)
    }

    /// Decides that a unit has the value with this index.
    pub(super) fn decide(&mut self, open: &Open, index: usize) {
        let value = &open.values[index];
        match self.lines.get_mut(&(open.unit.word / LINE_WORDS)) {
            Some(Line::Whole(versions)) => versions.decide(std::array::from_fn(|i| value[i])),
            Some(Line::Words(words)) => words[open.unit.word % LINE_WORDS].decide(value[0]),
            None => {}
        }
    }

    /// A number for this state; equal states have equal numbers.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut state = DefaultHasher::new();
        (self.len, self.model, self.shutdowns).hash(&mut state);
        for (at, line) in &self.lines {
            match line {
                Line::Whole(versions) => {
                    if versions.is_plain(&self.base_line(*at)) {
                        continue;
                    }
                    at.hash(&mut state);
                    versions.hash_values(&mut state, |line| {
                        let mut one = DefaultHasher::new();
                        line.hash(&mut one);
                        one.finish()
                    });
                }
                Line::Words(words) => {
                    for (i, versions) in words.iter().enumerate() {
                        let word = at * LINE_WORDS + i;
                        if versions.is_plain(&self.base(word)) {
                            continue;
                        }
                        word.hash(&mut state);
                        versions.hash_values(&mut state, |&value| value);
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
