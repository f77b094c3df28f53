//! What a workload says of its progress, and what a check is told of it.

use super::recorder::{Event, EventKind, Phase, Recorder};
use std::fmt::Display;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

/// What had been begun, and what of it acknowledged, when the crash came.
#[derive(Clone, Debug)]
pub struct History<E> {
    begun: Vec<E>,
    acknowledged: usize,
    phase: Phase,
    /// Which run noted what: entries can't be compared, and of two images each may begin something else.
    told_by: u64,
}

impl<E> Default for History<E> {
    fn default() -> Self {
        History { begun: Vec::new(), acknowledged: 0, phase: Phase::Open, told_by: 0 }
    }
}

impl<E> History<E> {
    /// What was acknowledged: none of it may be missing.
    pub fn acknowledged(&self) -> &[E] {
        &self.begun[..self.acknowledged]
    }

    /// What was begun and not acknowledged: it may be there or not, but not in part.
    pub fn in_flight(&self) -> &[E] {
        &self.begun[self.acknowledged..]
    }

    /// Everything that was begun.
    pub fn begun(&self) -> &[E] {
        &self.begun
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn in_phase(phase: Phase) -> Self {
        History { phase, ..Self::default() }
    }

    /// Equal only for histories that are equal.
    pub(super) fn progress(&self) -> (usize, usize, Phase, u64) {
        (self.begun.len(), self.acknowledged, self.phase, self.told_by)
    }
}

impl<E: Clone> History<E> {
    /// `run` is a number of the run in which it happened.
    pub(super) fn apply(&mut self, event: &Event, notes: &[E], run: u64) {
        match event.kind {
            EventKind::Begin(number) => {
                self.begun.push(notes[number].clone());
                self.told_by = run;
            }
            EventKind::Acknowledge(number) => self.acknowledged = number,
            EventKind::Phase(phase) => self.phase = phase,
            _ => {}
        }
    }
}

/// What a workload says to [`History`]: that it begins something, and that all it began is done.
pub struct Log<E> {
    recorder: Recorder,
    history: Mutex<History<E>>,
}

impl<E: Clone> Log<E> {
    pub(super) fn new(recorder: Recorder, history: History<E>) -> Self {
        Log { recorder, history: Mutex::new(history) }
    }

    /// Something is begun: after a crash it may be there or not.
    #[track_caller]
    pub fn begin(&self, what: E) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        self.recorder.note(EventKind::Begin(history.begun.len()), Location::caller());
        history.begun.push(what);
    }

    /// Everything that was begun is done: from now on none of it may be missing.
    ///
    /// That includes what an earlier crash interrupted. In [`Explorer::then`](super::Explorer::then), where it
    /// may be there or not, begin what recovery found (a copy of the whole state, say) before you acknowledge
    /// anything, and let the check look at the last entry.
    #[track_caller]
    pub fn acknowledge(&self) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.acknowledged = history.begun.len();
        self.recorder.note(EventKind::Acknowledge(history.acknowledged), Location::caller());
    }

    /// How much was begun so far, before the crash and since.
    pub fn count(&self) -> usize {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).begun.len()
    }

    pub(super) fn history(&self) -> History<E> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn into_notes(self) -> Vec<E> {
        self.history.into_inner().unwrap_or_else(PoisonError::into_inner).begun
    }
}

/// What a check answers: nothing (it panics where something is wrong), or a `Result`.
pub trait Verdict {
    /// The complaint, if there is one.
    fn verdict(self) -> Result<(), String>;
}

impl Verdict for () {
    fn verdict(self) -> Result<(), String> {
        Ok(())
    }
}

impl<X: Display> Verdict for Result<(), X> {
    fn verdict(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}
