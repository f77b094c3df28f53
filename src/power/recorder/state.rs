//! [`State`]: what a recorder knows of its memory, and what it is to do there.

use super::outcomes;
use crate::flush::Plan;
use crate::medium::Map;
use crate::observe::{Origin, Rule, Valid};
use crate::power::choices::Choices;
use crate::power::event::{Event, EventKind};
use crate::power::exposed::Exposed;
use crate::power::machine::Machine;
use crate::power::mutation::Site;
use crate::power::settings::Opening;
use crate::power::unit::{Open, Unit, WORD};
use std::collections::HashMap;
use std::ops::Range;
use std::panic::Location;
use std::thread::{self, ThreadId};

/// A checksummed range with up to so many outcomes is tried in all of them.
const FEW: usize = 16;

/// What a recorder knows, behind its lock.
pub(in crate::power) struct State {
    /// What memory may hold.
    pub machine: Machine,
    /// What happened so far.
    pub events: Vec<Event>,
    /// What recovery finds, where a crash left that open.
    pub choices: Choices,
    /// Blocks that are written through `&mut`, in bytes, and the line of the program that began each.
    pub(super) dirty: Vec<(Range<usize>, Origin)>,
    /// Numbers of the threads, in the order of their first events.
    threads: HashMap<ThreadId, u32>,
    /// The flush or fence that is left out.
    pub mute: Option<Site>,
    /// What opening does about visible stores.
    pub opening: Opening,
    /// The rule of the commit protocol that is broken.
    pub without: Option<Rule>,
    /// Units that recovery believed and that were not durable.
    pub undurable: Vec<Open>,
    /// What a commit made reachable too early, the first time.
    pub exposed: Option<Exposed>,
    /// Units that were decided, each with the index of its value.
    pub decided: Vec<(Open, usize)>,
    /// In place of choices: units that do not have their newest value, each with the index of its value.
    pub forced: Option<HashMap<Unit, usize>>,
    /// The one choice for all undurable units of a run: newest or oldest.
    undurable_newest: Option<bool>,
    /// Whether a checksummed range had more outcomes than were told apart.
    pub modulo_checksum: bool,
}

impl State {
    pub(super) fn new(machine: Machine, choices: Choices) -> Self {
        State {
            machine,
            choices,
            events: Vec::new(),
            dirty: Vec::new(),
            threads: HashMap::new(),
            mute: None,
            opening: Opening::default(),
            without: None,
            undurable: Vec::new(),
            exposed: None,
            decided: Vec::new(),
            forced: None,
            undurable_newest: None,
            modulo_checksum: false,
        }
    }

    /// Number of the calling thread.
    pub(super) fn thread(&mut self) -> u32 {
        let next = self.threads.len() as u32;
        *self.threads.entry(thread::current().id()).or_insert(next)
    }

    /// Notes an event of the calling thread.
    pub(super) fn log(&mut self, kind: EventKind, origin: Origin, site: Origin) {
        let thread = self.thread();
        self.events.push(Event { kind, thread, origin, site });
    }

    /// The block that starts there is not written through `&mut` any more: only the engine has it now. Notes the
    /// stores to it.
    pub(super) fn end(&mut self, map: &Map, start: usize) {
        let Some(index) = self.dirty.iter().position(|(block, _)| block.start == start) else { return };
        let (block, origin) = self.dirty.swap_remove(index);
        for word in block.start / WORD..block.end / WORD {
            self.found(word, map.load(word * WORD), origin);
        }
    }

    /// The whole lines of a copy to `at` went past the cache.
    pub(super) fn streamed(&mut self, at: usize, bytes: &[u8], plan: &Plan, origin: Origin, site: Origin) {
        let thread = self.thread();
        let first = (at + plan.streamed().start) / WORD;
        for (index, word) in bytes[plan.streamed()].chunks_exact(WORD).enumerate() {
            let (word, value) = (first + index, u64::from_le_bytes(word.try_into().expect("eight bytes")));
            self.machine.stream(thread, word, value, origin);
            self.log(EventKind::Stream { word, value }, origin, site);
        }
    }

    /// Bytes from `at` on were written. Other bytes of the same words belong to somebody else, and are left alone.
    pub(super) fn written(&mut self, at: usize, bytes: &[u8], origin: Origin) {
        let end = at + bytes.len();
        for word in at / WORD..end.div_ceil(WORD) {
            let visible = self.machine.visible(word);
            let mut new = visible.to_le_bytes();
            let (from, to) = (at.max(word * WORD), end.min((word + 1) * WORD));
            new[from - word * WORD..to - word * WORD].copy_from_slice(&bytes[from - at..to - at]);
            self.found(word, u64::from_le_bytes(new), origin);
        }
    }

    /// A word that was written through `&mut` has this value: that is a store, unless it had it before. Where a crash
    /// left it open which value it had, it is a store in any case.
    fn found(&mut self, word: usize, value: u64, origin: Origin) {
        if self.machine.undecided(word).is_some() || value != self.machine.visible(word) {
            self.machine.store(word, value, origin);
            self.log(EventKind::Store { word, value }, origin, origin);
        }
    }

    /// Decides that a unit has the value with this index.
    fn decide(&mut self, map: &Map, open: Open, index: usize) {
        self.machine.decide(&open, index);
        for (i, &value) in open.values[index].iter().enumerate() {
            map.store((open.unit.word + i) * WORD, value);
        }
        let here = Location::caller();
        self.log(EventKind::Decide { word: open.unit.word, value: index }, here, here);
        self.decided.push((open, index));
    }

    /// Which value a unit has: the forced one, or else a choice.
    fn choose(&mut self, open: &Open) -> usize {
        match &self.forced {
            Some(forced) => forced.get(&open.unit).copied().unwrap_or(open.newest()),
            None => self.choices.choose(open.values.len()),
        }
    }

    /// Recovery is about to read these bytes.
    pub(super) fn announce(&mut self, map: &Map, at: usize, len: usize) {
        for open in self.machine.undecided_in(at / WORD..(at + len).div_ceil(WORD)) {
            let index = self.choose(&open);
            self.decide(map, open, index);
        }
    }

    /// Recovery is about to read these bytes, which must be durable.
    pub(super) fn announce_durable(&mut self, map: &Map, at: usize, len: usize) {
        if len == 0 {
            return;
        }
        let words = at / WORD..(at + len).div_ceil(WORD);
        for open in self.machine.undecided_in(words.clone()) {
            // A line may be open because of a link or word elsewhere in it.
            if !open.differs_in(&words) {
                continue;
            }
            let last = open.newest();
            let newest = match (self.undurable_newest, &self.forced) {
                (Some(newest), None) => newest,
                (_, Some(forced)) => forced.get(&open.unit).is_none_or(|&index| index == last),
                (None, None) => self.choices.choose(2) == 1,
            };
            self.undurable_newest = Some(newest);
            self.undurable.push(open.clone());
            self.decide(map, open, if newest { last } else { 0 });
        }
    }

    /// Recovery is about to read these ranges, and believes them if they verify.
    pub(super) fn announce_checksummed(&mut self, map: &Map, ranges: &[Range<usize>], valid: Valid<'_>) {
        let words = |range: &Range<usize>| range.start / WORD..range.end.div_ceil(WORD);
        let mut open: Vec<Open> =
            ranges.iter().flat_map(|range| self.machine.undecided_in(words(range))).collect();
        open.sort_by_key(|open| open.unit);
        open.dedup_by_key(|open| open.unit);
        let product = open.iter().fold(1_usize, |n, open| n.saturating_mul(open.values.len()));
        if product <= FEW || self.forced.is_some() {
            for open in open {
                let index = self.choose(&open);
                self.decide(map, open, index);
            }
            return;
        }
        self.modulo_checksum = true;
        let verifies = |outcome: &[usize]| {
            valid(&|at: usize| {
                let word = at / WORD;
                let found = open.iter().zip(outcome).find_map(|(open, &index)| {
                    open.values[index].get(word.wrapping_sub(open.unit.word)).copied()
                });
                found.unwrap_or_else(|| map.load(at))
            })
        };
        let outcomes = outcomes::of(&open, verifies);
        let chosen = self.choices.choose(outcomes.len());
        for (open, &index) in open.into_iter().zip(&outcomes[chosen]) {
            self.decide(map, open, index);
        }
    }

    /// A commit is about to make these bytes reachable. Notes the first that are not durable.
    pub(super) fn publishes(&mut self, at: usize, len: usize) {
        let open = self.machine.undurable_in(at / WORD..(at + len).div_ceil(WORD));
        if !open.is_empty() && self.exposed.is_none() {
            self.exposed = Some(Exposed { event: self.events.len(), open });
        }
    }
}
