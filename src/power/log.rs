//! [`Log`]: what a workload says of its progress.

use super::event::EventKind;
use super::history::History;
use super::recorder::Recorder;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

/// What a workload says to [`History`]: that it begins something, and that all it began is done.
///
/// A server that replies to its client when a transaction has committed acknowledges there:
///
/// ```
/// use indelible::{Region, Result, Word};
/// use indelible::power::{self, History, Log, Recorder};
///
/// fn serve(region: &mut Region<Word<u64>, Recorder>, log: &Log<u64>) -> Result<()> {
///     for request in [5, 7] {
///         log.begin(request);
///         region.transact(|tx, sum| Ok(tx.store(sum, tx.load(sum) + request)))?;
///         log.acknowledge(); // the reply is sent
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
    /// A log that goes on from `history`.
    pub(super) fn new(recorder: Recorder, history: History<E>) -> Self {
        Log { recorder, history: Mutex::new(history) }
    }

    /// Something is begun: after a crash it may be there or not.
    #[track_caller]
    pub fn begin(&self, what: E) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        self.recorder.note(EventKind::Begin(history.begun().len()), Location::caller());
        history.begin(what);
    }

    /// Everything that was begun is done: from now on none of it may be missing.
    ///
    /// That includes what an earlier crash interrupted. In [`Explorer::then`](super::Explorer::then), where it
    /// may be there or not, begin what recovery found (a copy of the whole state, say) before you acknowledge
    /// anything, and let the check look at the last entry.
    #[track_caller]
    pub fn acknowledge(&self) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        self.recorder.note(EventKind::Acknowledge(history.acknowledge()), Location::caller());
    }

    /// How much was begun so far, before the crash and since.
    pub fn count(&self) -> usize {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).begun().len()
    }

    /// What was said so far.
    pub(super) fn history(&self) -> History<E> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
