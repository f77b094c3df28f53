//! What a workload says of its progress, and what a check is told of it.

use super::recorder::{Event, EventKind, Phase, Recorder};
use std::fmt::Display;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

/// What had been begun, and what of it acknowledged, when the crash came.
///
/// A check that knows what may be there, and what must:
///
/// ```
/// # use indelible::{Word, power::{Explorer, History}};
/// fn check(count: &Word<u64>, history: &History<u64>) {
///     let found = count.get();
///     let least = history.acknowledged().last().copied().unwrap_or(0);
///     let most = history.begun().last().copied().unwrap_or(0);
///     assert!((least..=most).contains(&found), "{found}, and {:?} was on its way", history.in_flight());
/// }
/// # let workload = |region: &mut indelible::Region<_, _>, log: &indelible::power::Log<u64>| {
/// #     for n in 1..=2 {
/// #         log.begin(n);
/// #         region.transact(|tx, count| Ok(tx.store(count, n)))?;
/// #         log.acknowledge();
/// #     }
/// #     Ok(())
/// # };
/// # let _ = Explorer::new(|| Word::new(0), workload, check).run().assert();
/// ```
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
///
/// A server that answers its client when a transaction has committed acknowledges there:
///
/// ```
/// use indelible::{Region, Result, Word};
/// use indelible::power::{self, History, Log, Recorder};
///
/// fn serve(region: &mut Region<Word<u64>, Recorder>, log: &Log<u64>) -> Result<()> {
///     for request in [5, 7] {
///         log.begin(request);
///         region.transact(|tx, sum| Ok(tx.store(sum, tx.load(sum) + request)))?;
///         log.acknowledge(); // the answer is sent
///     }
///     assert_eq!(log.count(), 2);
///     Ok(())
/// }
///
/// let check = |sum: &Word<u64>, history: &History<u64>| {
///     let least: u64 = history.acknowledged().iter().sum();
///     let most: u64 = history.begun().iter().sum();
///     assert!(sum.get() == least || sum.get() == most);
/// };
/// let report = power::explore(|| Word::new(0), serve, check);
/// ```
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
///
/// ```
/// use indelible::power::Verdict;
///
/// assert_eq!(().verdict(), Ok(()));
/// assert_eq!(Err::<(), _>("a payment is lost").verdict(), Err("a payment is lost".to_string()));
/// ```
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
