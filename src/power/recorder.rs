//! [`Recorder`]: a medium that sees every store, flush and fence, and decides lazily what a crash left.

use super::choice::Choices;
use super::explore::is_ours;
use super::machine::{LINE_WORDS, Machine, Model, Open, Unit, WORD};
use crate::error::{Error, Result};
use crate::flush::{self, LINE, Plan, Route};
use crate::format::block::Extent;
use crate::medium::{Map, Medium, MediumImpl, Shutdowns, Writable};
use crate::observe::Rule;
use crate::observe::{Observe, Origin, Valid};
use std::collections::HashMap;
use std::ops::Range;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// Anonymous memory in which every event is recorded. Regions on it are made by
/// [`power::region`](super::region), and by the explorer.
///
/// Stores to an object that is `Dirty` go through `&mut`, and are found by comparing when its handle is given
/// to `flush`, or when the transaction is over: before that somebody may be writing it, on another thread too.
/// A value that is overwritten before is not seen. Nothing leads to the object until then, so recovery can't
/// tell when it was stored.
#[derive(Clone)]
pub struct Recorder {
    map: Arc<Map>,
    state: Arc<Mutex<State>>,
}

pub(crate) struct State {
    pub machine: Machine,
    pub events: Vec<Event>,
    pub choices: Choices,
    /// Blocks that are written through `&mut`.
    dirty: Vec<DirtyBlock>,
    threads: HashMap<ThreadId, u32>,
    /// A flush or fence that is left out.
    pub mute: Option<Site>,
    pub settle: Settle,
    /// A rule of the commit protocol that is broken.
    pub without: Option<Rule>,
    /// Plain words that recovery believed and that were not durable.
    pub undurable: Vec<Open>,
    /// What was published first without being durable.
    pub exposed: Option<Exposed>,
    /// Units that were decided, with the number of the value.
    pub decided: Vec<(Open, usize)>,
    /// A unit's value number, where a search has fixed it.
    pub forced: Option<HashMap<Unit, usize>>,
    /// The one choice for all undurable words of a run: oldest or newest.
    undurable_newest: Option<bool>,
    /// A checksummed range had more outcomes than were told apart.
    pub modulo_checksum: bool,
}

/// What a commit was about to make reachable though a power failure could still take it back.
#[derive(Clone, Debug)]
pub(crate) struct Exposed {
    /// How many events had happened.
    pub event: usize,
    pub open: Vec<Open>,
}

impl Exposed {
    pub(crate) const MESSAGE: &str =
        "a commit is about to make something reachable that no fence has made durable yet";
}

/// A block that is written through `&mut`.
#[derive(Clone, Copy)]
struct DirtyBlock {
    extent: Extent,
    origin: Origin,
}

/// What opening a region does about stores that an earlier process left visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Settle {
    /// Flush what is read, as on device DAX.
    #[default]
    Flush,
    /// `fsync`, as on a file system.
    Sync,
}

/// One event of a trace.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Number of the thread, in the order of appearance.
    pub thread: u32,
    /// The line of the program that caused it.
    pub origin: Origin,
    /// The line that did it: of this crate, or the program's own where a verb was called for it.
    pub site: Origin,
}

impl Event {
    /// Whether the program asked for it with a verb; otherwise the engine made it, for some line of the program
    /// or for none.
    pub(crate) fn is_explicit(&self) -> bool {
        self.origin == self.site && !is_ours(self.origin)
    }

    /// Whether it is a store to an object that is still `Dirty`, by the program itself.
    pub(crate) fn is_in_new_object(&self) -> bool {
        matches!(self.kind, EventKind::Store { .. } | EventKind::Stream { .. }) && self.origin == self.site
    }

    /// Whether it is the fence with which a commit of the program ends.
    pub(crate) fn is_commits_fence(&self) -> bool {
        self.kind == EventKind::Fence && is_ours(self.site) && !is_ours(self.origin)
    }
}

/// What happened; words and lines are numbered from the region's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A word was stored.
    Store {
        /// Index of the word.
        word: usize,
        /// Its new value.
        value: u64,
    },
    /// A word was stored past the cache.
    Stream {
        /// Index of the word.
        word: usize,
        /// Its new value.
        value: u64,
    },
    /// A line was flushed.
    Flush {
        /// Index of the line.
        line: usize,
    },
    /// A fence.
    Fence,
    /// The region grew.
    Grow {
        /// To so many bytes.
        len: usize,
    },
    /// Everything visible became durable (`fsync` at open).
    Sync,
    /// The region was made, opened, or closed.
    Phase(Phase),
    /// The workload said that it begins something, by its number.
    Begin(usize),
    /// The workload acknowledged something, by its number.
    Acknowledge(usize),
    /// It was decided what an earlier crash had left.
    Decide {
        /// Index of the unit's first word.
        word: usize,
        /// Number of the value, oldest first.
        value: usize,
    },
}

/// Where a region is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Nothing is there yet.
    Absent,
    /// It was made or opened.
    Open,
    /// It is being opened or closed.
    Between,
    /// It was closed.
    Closed,
}

/// A flush or fence in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Site {
    pub fence: bool,
    pub file: &'static str,
    pub line: u32,
    pub column: u32,
}

impl Site {
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let fence = match event.kind {
            EventKind::Fence => true,
            EventKind::Flush { .. } => false,
            _ => return None,
        };
        Some(Self::at(fence, event.site))
    }

    fn at(fence: bool, site: Origin) -> Self {
        Site { fence, file: site.file(), line: site.line(), column: site.column() }
    }
}

impl Recorder {
    pub(crate) fn new(map: Arc<Map>, machine: Machine, choices: Choices) -> Self {
        let state = State {
            machine,
            events: Vec::new(),
            choices,
            dirty: Vec::new(),
            threads: HashMap::new(),
            mute: None,
            settle: Settle::default(),
            without: None,
            undurable: Vec::new(),
            exposed: None,
            decided: Vec::new(),
            forced: None,
            undurable_newest: None,
            modulo_checksum: false,
        };
        Recorder { map, state: Arc::new(Mutex::new(state)) }
    }

    /// A recorder of `len` zeroed bytes that may grow to `max_len`.
    pub(crate) fn zeroed(len: usize, max_len: usize) -> Result<Self> {
        let map = Map::anonymous(len, max_len.max(len))?;
        let machine = Machine::new(Model::default(), Arc::new(vec![0; len / WORD]));
        Ok(Recorder::new(Arc::new(map), machine, Choices::default()))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was recorded so far.
    ///
    /// ```
    /// # use indelible::{Word, power};
    /// let mut region = power::region(1 << 20, Word::new(0))?;
    /// let before = region.medium().trace();
    /// region.transact(|tx, count| Ok(tx.store(count, 1)))?;
    /// assert_eq!(region.medium().trace().since(&before).fences(), 1); // one word costs one fence
    /// # Ok::<(), indelible::Error>(())
    /// ```
    pub fn trace(&self) -> Trace {
        Trace { events: self.state().events.clone() }
    }

    /// Notes something that the workload says.
    pub(crate) fn note(&self, kind: EventKind, origin: Origin) {
        self.state().log(kind, origin, origin);
    }

    fn flush_from(&self, at: *const u8, len: usize, origin: Origin, site: Origin) {
        let mut state = self.state();
        let start = at.addr() - self.map.address();
        let thread = state.thread();
        for at in flush::lines(start, len) {
            let line = at / LINE;
            if state.mute != Some(Site::at(false, site)) {
                state.machine.flush(thread, line);
            }
            state.log(EventKind::Flush { line }, origin, site);
        }
    }

    fn flush_plan(&self, plan: &Plan, origin: Origin, site: Origin) {
        for (at, len) in plan.flushed() {
            self.flush_from(self.map.pointer(at).as_ptr(), len, origin, site);
        }
    }

    /// Puts a word into memory without a word about it.
    pub(crate) fn raw_store(&self, word: usize, value: u64) {
        self.map.store(word * WORD, value);
    }
}

impl State {
    fn thread(&mut self) -> u32 {
        let next = self.threads.len() as u32;
        *self.threads.entry(thread::current().id()).or_insert(next)
    }

    fn log(&mut self, kind: EventKind, origin: Origin, site: Origin) {
        let thread = self.thread();
        self.events.push(Event { kind, thread, origin, site });
    }

    /// The block that starts there is no longer written through `&mut`: nobody but the engine has it now. Its
    /// stores are found.
    fn end(&mut self, map: &Map, start: usize) {
        let Some(index) = self.dirty.iter().position(|block| block.extent.start == start) else { return };
        let DirtyBlock { extent, origin } = self.dirty.swap_remove(index);
        for word in extent.start / WORD..(extent.start + extent.len) / WORD {
            let value = map.load(word * WORD);
            // A new object writes all its words, and one may happen to be what memory shows for a word that a
            // crash left open.
            if self.machine.undecided(word).is_some() || value != self.machine.visible(word) {
                self.machine.store(word, value, origin);
                self.log(EventKind::Store { word, value }, origin, origin);
            }
        }
    }

    /// Whole lines of a copy to `at` went past the cache.
    fn streamed(&mut self, at: usize, bytes: &[u8], plan: &Plan, origin: Origin, site: Origin) {
        let thread = self.thread();
        let first = (at + plan.streamed().start) / WORD;
        for (index, word) in bytes[plan.streamed()].chunks_exact(WORD).enumerate() {
            let (word, value) = (first + index, u64::from_le_bytes(word.try_into().expect("eight bytes")));
            self.machine.stream(thread, word, value, origin);
            self.log(EventKind::Stream { word, value }, origin, site);
        }
    }

    /// Bytes from `at` on were written: words that changed are stores. Bytes beside them in a word are another's,
    /// and not looked at.
    fn written(&mut self, at: usize, bytes: &[u8], origin: Origin) {
        let end = at + bytes.len();
        for word in at / WORD..end.div_ceil(WORD) {
            let visible = self.machine.visible(word);
            let mut new = visible.to_le_bytes();
            let (from, to) = (at.max(word * WORD), end.min((word + 1) * WORD));
            new[from - word * WORD..to - word * WORD].copy_from_slice(&bytes[from - at..to - at]);
            let value = u64::from_le_bytes(new);
            if self.machine.undecided(word).is_some() || value != visible {
                self.machine.store(word, value, origin);
                self.log(EventKind::Store { word, value }, origin, origin);
            }
        }
    }

    /// Chooses what is in a unit.
    fn decide(&mut self, map: &Map, open: Open, index: usize) {
        self.machine.decide(&open, index);
        for (i, &value) in open.values[index].iter().enumerate() {
            map.store((open.unit.word + i) * WORD, value);
        }
        let here = Location::caller();
        self.log(EventKind::Decide { word: open.unit.word, value: index }, here, here);
        self.decided.push((open, index));
    }

    fn choose(&mut self, open: &Open) -> usize {
        match &self.forced {
            Some(forced) => forced.get(&open.unit).copied().unwrap_or(open.values.len() - 1),
            None => self.choices.choose(open.values.len()),
        }
    }

    fn announce(&mut self, map: &Map, at: usize, len: usize) {
        for open in self.machine.undecided_in(at / WORD..(at + len).div_ceil(WORD)) {
            let index = self.choose(&open);
            self.decide(map, open, index);
        }
    }

    fn announce_durable(&mut self, map: &Map, at: usize, len: usize) {
        if len == 0 {
            return;
        }
        let words = at / WORD..(at + len).div_ceil(WORD);
        for open in self.machine.undecided_in(words.clone()) {
            // A line may be open for the sake of a link or word elsewhere in it.
            if !open.differs_in(&words) {
                continue;
            }
            let last = open.values.len() - 1;
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

    /// What a checksum publishes is each state of the range that verifies, or one that does not.
    fn announce_checksummed(&mut self, map: &Map, at: usize, len: usize, valid: Valid<'_>) {
        let open = self.machine.undecided_in(at / WORD..(at + len).div_ceil(WORD));
        let outcomes = open.iter().fold(1_usize, |n, open| n.saturating_mul(open.values.len()));
        if outcomes <= FEW || self.forced.is_some() {
            for open in open {
                let index = self.choose(&open);
                self.decide(map, open, index);
            }
            return;
        }
        self.modulo_checksum = true;
        let verifies = |choice: &[usize]| {
            valid(&|at: usize| {
                let word = at / WORD;
                let found = open.iter().zip(choice).find_map(|(open, &index)| {
                    open.values[index].get(word.wrapping_sub(open.unit.word)).copied()
                });
                found.unwrap_or_else(|| map.load(at))
            })
        };
        let (whole, torn) = candidates(&open, verifies);
        let mut all: Vec<Vec<usize>> = torn;
        all.extend(whole);
        let chosen = self.choices.choose(all.len());
        for (open, &index) in open.into_iter().zip(&all[chosen]) {
            self.decide(map, open, index);
        }
    }
}

/// Up to so many outcomes of a checksummed range are tried one by one.
const FEW: usize = 16;

/// The states of a checksummed range that verify, and some that were never stored together: no unit kept, all
/// but one, and a few by a fixed chance.
fn candidates(open: &[Open], verifies: impl Fn(&[usize]) -> bool) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
    let newest: Vec<usize> = open.iter().map(|open| open.values.len() - 1).collect();
    // The state of the whole range after each store.
    let mut times: Vec<u64> =
        open.iter().flat_map(|open| open.stored.iter().map(|stored| stored.0)).collect();
    times.sort_unstable();
    times.dedup();
    let at = |time: u64| -> Vec<usize> {
        open.iter()
            .map(|open| open.stored.iter().rfind(|stored| stored.0 <= time).map_or(0, |stored| stored.1))
            .collect()
    };
    let mut whole: Vec<Vec<usize>> = Vec::new();
    for choice in times.into_iter().map(at) {
        if !whole.contains(&choice) && verifies(&choice) {
            whole.push(choice);
        }
    }
    let mut torn: Vec<Vec<usize>> = vec![vec![0; open.len()]];
    for lost in 0..open.len() {
        let mut choice = newest.clone();
        choice[lost] = 0;
        torn.push(choice);
    }
    let mut random = Choices::random(open.len() as u64 * 0x9e37_79b9 + 1);
    for _ in 0..4 {
        torn.push(open.iter().map(|open| random.choose(open.values.len())).collect());
    }
    // First, middle, last and the random ones stand for all that were not stored together.
    let keep = |index: usize| index < 2 || index + 5 >= torn.len() || index == torn.len() / 2;
    let mut kept: Vec<Vec<usize>> = Vec::new();
    for (index, choice) in torn.iter().enumerate() {
        if keep(index) && !whole.contains(choice) && !kept.contains(choice) {
            kept.push(choice.clone());
        }
    }
    (whole, kept)
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("events", &self.state().events.len()).finish()
    }
}

impl Medium for Recorder {}
impl Writable for Recorder {}

impl Observe for Recorder {
    const OBSERVED: bool = true;

    fn leaves_out(&self, rule: Rule) -> bool {
        self.state().without == Some(rule)
    }

    fn announce(&self, at: usize, len: usize) {
        self.state().announce(&self.map, at, len);
    }

    fn announce_durable(&self, at: usize, len: usize) {
        self.state().announce_durable(&self.map, at, len);
    }

    fn announce_checksummed(&self, at: usize, len: usize, valid: Valid<'_>) {
        self.state().announce_checksummed(&self.map, at, len, valid);
    }

    fn begin(&self, block: Range<usize>, origin: Origin) {
        let extent = Extent { start: block.start, len: block.len() };
        self.state().dirty.push(DirtyBlock { extent, origin });
    }

    fn written(&self, bytes: &[u8], origin: Origin) {
        let at = bytes.as_ptr().addr() - self.map.address();
        self.state().written(at, bytes, origin);
    }

    fn publishes(&self, at: usize, len: usize, _: Origin) {
        let mut state = self.state();
        let open = state.machine.undurable_in(at / WORD..(at + len).div_ceil(WORD));
        if !open.is_empty() && state.exposed.is_none() {
            state.exposed = Some(Exposed { event: state.events.len(), open });
        }
    }

    fn abandon(&self, block: Range<usize>) {
        self.state().end(&self.map, block.start);
    }
}

impl MediumImpl for Recorder {
    fn map(&self) -> &Map {
        &self.map
    }

    fn path(&self) -> &std::path::Path {
        std::path::Path::new("(recorded)")
    }

    fn max_len(&self) -> usize {
        self.map.reserved()
    }

    #[track_caller]
    fn store(&self, at: usize, value: u64, origin: Origin) {
        let site = Location::caller();
        let mut state = self.state();
        self.map.store(at, value);
        state.machine.store(at / WORD, value, origin);
        state.log(EventKind::Store { word: at / WORD, value }, origin, site);
    }

    #[track_caller]
    fn store_run(&self, at: usize, words: &[u8], origin: impl Fn(usize) -> Origin) {
        for (index, word) in words.chunks(WORD).enumerate() {
            self.store(at + index * WORD, Map::word_of(word), origin(index));
        }
    }

    #[track_caller]
    fn store_bytes(&self, at: usize, bytes: &[u8], origin: Origin) {
        for (index, word) in bytes.chunks(WORD).enumerate() {
            self.store(at + index * WORD, Map::word_of(word), origin);
        }
    }

    #[track_caller]
    fn flush(&self, at: *const u8, len: usize, origin: Origin) {
        self.flush_from(at, len, origin, Location::caller());
    }

    #[track_caller]
    fn fence(&self, origin: Origin) -> Result<()> {
        let site = Location::caller();
        let mut state = self.state();
        let thread = state.thread();
        if state.mute != Some(Site::at(true, site)) {
            state.machine.fence(thread);
        }
        state.log(EventKind::Fence, origin, site);
        Ok(())
    }

    fn grow(&self, len: usize) -> Result<()> {
        self.map.grow_anonymous(len).map_err(|source| Error::AddressSpace { len: len as u64, source })?;
        let mut state = self.state();
        state.machine.grow(len);
        state.log(EventKind::Grow { len }, Location::caller(), Location::caller());
        Ok(())
    }

    fn shutdowns(&self) -> Option<Shutdowns> {
        Some(Shutdowns { count: self.state().machine.shutdowns(), memory: 0 })
    }

    fn settle(&self, _: Option<usize>) -> Result<bool> {
        let mut state = self.state();
        if state.settle == Settle::Flush {
            return Ok(false);
        }
        state.machine.settle();
        state.log(EventKind::Sync, Location::caller(), Location::caller());
        Ok(true)
    }

    fn flush_object(&self, start: *const u8, before: usize, len: usize, origin: Origin) {
        self.state().end(&self.map, start.addr() - self.map.address());
        // A verb asked for it, in the program's line.
        self.flush_from(start, before + len, origin, origin);
    }

    fn flush_object_line(&self, start: *const u8, before: usize, len: usize, origin: Origin) {
        self.flush_object(start, before, len, origin);
    }

    #[track_caller]
    fn stream_object(&self, start: *mut u8, before: usize, bytes: &[u8], origin: Origin) -> Result<()> {
        let site = Location::caller();
        self.map.write_behind(start, before, bytes);
        let start = start.addr() - self.map.address();
        let plan = flush::plan(start, before, bytes.len(), Route::Fastest);
        {
            let mut state = self.state();
            state.streamed(start + before, bytes, &plan, origin, site);
            // The header and the ragged edges are ordinary stores.
            state.end(&self.map, start);
        }
        self.flush_plan(&plan, origin, site);
        self.fence(origin)
    }

    #[track_caller]
    fn copy_persist(&self, to: &mut [u8], bytes: &[u8], route: Route, origin: Origin) -> Result<()> {
        let site = Location::caller();
        to.copy_from_slice(bytes);
        let at = to.as_ptr().addr() - self.map.address();
        let plan = flush::plan(at, 0, bytes.len(), route);
        {
            let mut state = self.state();
            state.streamed(at, bytes, &plan, origin, site);
            plan.cached().into_iter().for_each(|edge| state.written(at + edge.start, &bytes[edge], origin));
        }
        self.flush_plan(&plan, origin, site);
        self.fence(origin)
    }
}

/// What a [`Recorder`] saw, in order.
///
/// ```
/// use indelible::power::{self, EventKind};
/// use indelible::Link;
///
/// let mut region = power::region(1 << 20, Link::<u64>::null())?;
/// let before = region.medium().trace();
/// region.transact(|tx, slot| {
///     let new = tx.persist(tx.alloc(7)?)?;
///     tx.publish(slot, new);
///     Ok(())
/// })?;
/// let insert = region.medium().trace().since(&before);
/// println!("{} lines flushed, {} fences", insert.flushed_lines(), insert.fences());
/// for event in insert.events() {
///     if event.kind == EventKind::Fence {
///         println!("a fence for line {}", event.origin.line());
///     }
/// }
/// # Ok::<(), indelible::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trace {
    pub(crate) events: Vec<Event>,
}

impl Trace {
    /// The events.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// How many fences were made.
    pub fn fences(&self) -> usize {
        self.events.iter().filter(|event| event.kind == EventKind::Fence).count()
    }

    /// How many lines were flushed, one counted as often as it was.
    pub fn flushed_lines(&self) -> usize {
        self.events.iter().filter(|event| matches!(event.kind, EventKind::Flush { .. })).count()
    }

    /// What was recorded after `earlier`, a trace of the same recorder.
    pub fn since(&self, earlier: &Trace) -> Trace {
        Trace { events: self.events[earlier.events.len()..].to_vec() }
    }
}

const _: () = assert!(LINE == LINE_WORDS * WORD);
