//! [`Cursor`]: a moment in a run, which moves from crash to crash. The states at all of them would be too many to keep.

use super::crash::Crash;
use super::event::Event;
use super::history::History;
use super::machine::Machine;
use super::mutation::Mutation;
use super::recording::Recording;
use super::run::Run;
use super::start::Start;
use super::step::Step;

/// A moment in a run.
pub(super) struct Cursor<'a, E> {
    /// Where the run began.
    from: &'a Start<E>,
    /// What happened in it.
    events: &'a [Event],
    /// Everything that was begun in it and before.
    notes: &'a [E],
    /// What is left out of it.
    mutation: Mutation,
    /// The run's number.
    number: u64,
    /// The crashes that led to it.
    steps: Vec<Step>,
    /// Memory at this moment.
    machine: Machine,
    /// What had been said at this moment.
    history: History<E>,
    /// How many events had happened.
    at: usize,
}

impl<'a, E: Clone> Cursor<'a, E> {
    /// At the beginning of the recorded workload.
    pub(super) fn of_workload(recording: &'a Recording<E>, mutation: Mutation) -> Self {
        Self::new(&recording.start, &recording.events, &recording.notes, mutation.of_workload())
    }

    /// At the beginning of a run on an image of `from`, which has been explored after `level` crashes.
    pub(super) fn of_run(from: &'a Start<E>, run: &'a Run<E>, mutation: Mutation, level: usize) -> Self {
        let mut cursor = Self::new(from, &run.events, run.history.begun(), mutation.of_recovery());
        if let Some(step) = cursor.steps.last_mut() {
            step.path = run.path.clone();
        }
        cursor.number = from.fingerprint(level) ^ run.path.number();
        cursor
    }

    fn new(from: &'a Start<E>, events: &'a [Event], notes: &'a [E], mutation: Mutation) -> Self {
        let (machine, history) = (from.machine.clone(), from.history.clone());
        Cursor {
            from,
            events,
            notes,
            mutation,
            number: 0,
            steps: from.steps.clone(),
            machine,
            history,
            at: 0,
        }
    }

    /// Moves to a crash of the run, forwards as a rule. Returns what the crash leaves.
    ///
    /// # Panics
    ///
    /// If the run has no such event.
    pub(super) fn start(&mut self, crash: Crash) -> Start<E> {
        if crash.event() < self.at {
            self.machine = self.from.machine.clone();
            self.history = self.from.history.clone();
            self.at = 0;
        }
        for event in &self.events[self.at..crash.event()] {
            event.apply(&mut self.machine, self.mutation.leaves_out(self.at, event));
            self.history.apply(event, self.notes, self.number);
            self.at += 1;
        }
        Start::after(crash, self.events, &self.machine, &self.history, &self.steps)
    }
}
