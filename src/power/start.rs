//! [`Start`]: what is there when a program starts again after a crash.

use super::crash::Crash;
use super::event::{Event, Phase};
use super::history::History;
use super::machine::Machine;
use super::moment::Moment;
use super::step::Step;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What a crash left, and what had been said until then.
#[derive(Clone)]
pub(super) struct Start<E> {
    pub machine: Machine,
    pub history: History<E>,
    /// The crashes that led here, for reports.
    pub steps: Vec<Step>,
}

impl<E: Clone> Start<E> {
    /// The beginning of a workload.
    pub(super) fn of_workload(machine: Machine, phase: Phase) -> Self {
        Start { machine, history: History::in_phase(phase), steps: Vec::new() }
    }

    /// After a crash of a run with these `events`: memory and history are those of just before it, `steps` the
    /// crashes that led to the run.
    pub(super) fn after(
        crash: Crash,
        events: &[Event],
        machine: &Machine,
        history: &History<E>,
        steps: &[Step],
    ) -> Self {
        let machine = match crash {
            Crash::Power(_) => machine.power_failure(),
            Crash::Kill(_) => machine.kill(),
        };
        let mut steps = steps.to_vec();
        steps.push(Step::new(crash, Moment::of(crash, events)));
        Start { machine, history: history.clone(), steps }
    }

    /// A number for this state after `level` crashes; equal states have equal numbers.
    pub(super) fn fingerprint(&self, level: usize) -> u64 {
        let mut state = DefaultHasher::new();
        (level, self.machine.fingerprint(), self.history.progress()).hash(&mut state);
        state.finish()
    }
}
