//! [`Unit`]: what survives a power failure or not by itself, and [`Open`], the choice that a failure leaves there.

use crate::observe::Origin;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Bytes in a word.
pub(super) const WORD: usize = 8;
/// Words in a line.
pub(super) const LINE_WORDS: usize = 8;

/// A unit of memory: a word, or a whole line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Unit {
    /// Index of the word, or of the line's first word.
    pub word: usize,
    /// Whether it is a whole line.
    pub whole: bool,
}

impl Unit {
    /// Where it begins, in bytes.
    pub(super) fn offset(self) -> usize {
        self.word * WORD
    }

    /// What it is called in reports.
    pub(super) fn kind(self) -> &'static str {
        if self.whole { "line" } else { "word" }
    }
}

/// As in a report's seed: `word17`, `line8`.
impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind(), self.word)
    }
}

impl FromStr for Unit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = |word: &str| word.parse().map_err(|error| format!("{text}: {error}"));
        match (text.strip_prefix("word"), text.strip_prefix("line")) {
            (Some(word), _) => Ok(Unit { word: parse(word)?, whole: false }),
            (_, Some(word)) => Ok(Unit { word: parse(word)?, whole: true }),
            _ => Err(format!("{text}: neither wordN nor lineN")),
        }
    }
}

/// A unit of which a power failure left open which value it has.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub unit: Unit,
    /// The values that it may have, as words, oldest first. The last is that of the last store.
    pub values: Vec<Vec<u64>>,
    /// For each value the line of the program that stored it; `None` for what was there at the start.
    pub origins: Vec<Option<Origin>>,
    /// Each store: its position in the order of all stores, and the index of its value.
    pub stored: Vec<(u64, usize)>,
}

impl Open {
    /// Index of the value of the last store.
    pub(super) fn newest(&self) -> usize {
        self.values.len() - 1
    }

    /// Whether the values differ in these words. A line may be open because of other words in it.
    pub(super) fn differs_in(&self, words: &Range<usize>) -> bool {
        let first = words.start.saturating_sub(self.unit.word);
        let end = (words.end - self.unit.word).min(self.values[0].len());
        self.values.iter().any(|value| value[first..end] != self.values[0][first..end])
    }
}
