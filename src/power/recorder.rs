//! [`Recorder`]: a medium that sees every store, flush and fence, and decides lazily what a crash left.

mod outcomes;
mod state;

use super::choices::Choices;
use super::event::EventKind;
use super::machine::{Machine, Model};
use super::mutation::Site;
use super::settings::Opening;
use super::trace::Trace;
use super::unit::{LINE_WORDS, WORD};
use crate::error::{Error, Result};
use crate::flush::{self, LINE, Plan, Route};
use crate::medium::{Map, Medium, MediumImpl, Shutdowns, Writable};
use crate::observe::{Observe, Origin, Rule, Valid};
use state::State;
use std::fmt;
use std::ops::Range;
use std::panic::Location;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

impl Recorder {
    /// A recorder whose memory is in `map`, as `machine` says.
    pub(super) fn new(map: Arc<Map>, machine: Machine, choices: Choices) -> Self {
        Recorder { map, state: Arc::new(Mutex::new(State::new(machine, choices))) }
    }

    /// A recorder of `len` zeroed bytes that may grow to `max_len`.
    pub(super) fn zeroed(len: usize, max_len: usize) -> Result<Self> {
        let map = Map::anonymous(len, max_len.max(len))?;
        let machine = Machine::new(Model::default(), Arc::new(vec![0; len / WORD]));
        Ok(Recorder::new(Arc::new(map), machine, Choices::default()))
    }

    /// What it knows, locked.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
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
    pub(super) fn note(&self, kind: EventKind, origin: Origin) {
        self.state().log(kind, origin, origin);
    }

    /// A flush of each line that holds some of these bytes.
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

    /// The flushes of a copy's ragged edges.
    fn flush_plan(&self, plan: &Plan, origin: Origin, site: Origin) {
        for (at, len) in plan.flushed() {
            self.flush_from(self.map.pointer(at).as_ptr(), len, origin, site);
        }
    }

    /// Begins the story here: what is visible is durable, and nothing was seen. Returns the memory.
    pub(super) fn forget(&self, model: Model) -> Machine {
        let mut state = self.state();
        state.machine = state.machine.made_durable(model);
        state.events.clear();
        state.exposed = None;
        state.machine.clone()
    }

    /// The memory loses power without saving everything.
    #[cfg(test)]
    pub(crate) fn unsafe_shutdown(&self) {
        self.state().machine.unsafe_shutdown();
    }

    /// Stores a word without recording an event.
    pub(super) fn raw_store(&self, word: usize, value: u64) {
        self.map.store(word * WORD, value);
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

    fn announce_checksummed(&self, ranges: &[Range<usize>], valid: Valid<'_>) {
        self.state().announce_checksummed(&self.map, ranges, valid);
    }

    fn begin(&self, block: Range<usize>, origin: Origin) {
        self.state().dirty.push((block, origin));
    }

    fn written(&self, bytes: &[u8], origin: Origin) {
        let at = bytes.as_ptr().addr() - self.map.address();
        self.state().written(at, bytes, origin);
    }

    fn publishes(&self, at: usize, len: usize, _: Origin) {
        self.state().publishes(at, len);
    }

    fn abandon(&self, block: Range<usize>) {
        self.state().end(&self.map, block.start);
    }
}

impl MediumImpl for Recorder {
    fn map(&self) -> &Map {
        &self.map
    }

    fn path(&self) -> &Path {
        Path::new("(recorded)")
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
        if state.opening == Opening::Flushes {
            return Ok(false);
        }
        state.machine.sync();
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

const _: () = assert!(LINE == LINE_WORDS * WORD);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::layout::Layout;

    /// A checksum of the new version beside the old one is damage: so it may not be durable first.
    #[test]
    fn a_raised_version_is_durable_before_its_checksum() {
        let recorder = Recorder::zeroed(1 << 20, 1 << 20).expect("memory");
        let old = Layout {
            format: 1,
            region_id: 1,
            schema_len: 64,
            schema_checksum: 2,
            journal_words: 5,
            root_size: 64,
            root_align: 8,
        };
        let here = Location::caller();
        old.raise_version(&recorder, here).expect("no disk fails here");
        recorder.fence(here).expect("no disk fails here");
        let events: Vec<_> = recorder.state().events.iter().map(|event| event.kind).collect();
        let at = |wanted: &dyn Fn(&EventKind) -> bool| events.iter().position(wanted).expect("it happens");
        let stores =
            |word| at(&|kind| matches!(kind, EventKind::Store { word: found, .. } if *found == word));
        let (version, checksum) = (stores(1), stores(8));
        let fence = at(&|kind| matches!(kind, EventKind::Fence));
        assert!(version < fence && fence < checksum, "{events:?}");
        assert!(recorder.state().machine.undurable_in(0..9).is_empty());
        assert_eq!(recorder.map.load(8), 2);
        // What is up to date is left alone.
        let new = Layout { format: 2, ..old };
        new.raise_version(&recorder, here).expect("nothing to do");
        assert_eq!(recorder.state().events.len(), events.len());
    }
}
