//! [`History`]: what a check is told of the workload's progress.

use super::event::{Event, EventKind, Phase};

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
    /// What was begun.
    begun: Vec<E>,
    /// How many of the first of these were acknowledged.
    acknowledged: usize,
    /// Where the region is in its life.
    phase: Phase,
    /// Number of the run that began the last entry. It stands for the entries, which can't be compared: runs on two
    /// images may begin different things.
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

    /// Where the region was in its life.
    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Nothing was begun yet, in this phase.
    pub(super) fn in_phase(phase: Phase) -> Self {
        History { phase, ..Self::default() }
    }

    /// A key: equal only for equal histories.
    pub(super) fn progress(&self) -> (usize, usize, Phase, u64) {
        (self.begun.len(), self.acknowledged, self.phase, self.told_by)
    }
}

impl<E: Clone> History<E> {
    /// The workload begins something.
    pub(super) fn begin(&mut self, what: E) {
        self.begun.push(what);
    }

    /// The workload acknowledges everything that it began. Returns how much that is.
    pub(super) fn acknowledge(&mut self) -> usize {
        self.acknowledged = self.begun.len();
        self.acknowledged
    }

    /// Takes the part of an event of a run that began `notes`; `run` is the run's number.
    pub(super) fn apply(&mut self, event: &Event, notes: &[E], run: u64) {
        match event.kind {
            EventKind::Begin(number) => {
                self.begin(notes[number].clone());
                self.told_by = run;
            }
            EventKind::Acknowledge(number) => self.acknowledged = number,
            EventKind::Phase(phase) => self.phase = phase,
            _ => {}
        }
    }
}
