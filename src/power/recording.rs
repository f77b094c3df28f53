//! [`Recording`]: a workload's one run, in which nothing fails.

use super::crash::Crash;
use super::event::{Event, EventKind};
use super::exposed::Exposed;
use super::failure::Failure;
use super::log::Log;
use super::moment::Moment;
use super::recorder::Recorder;
use super::start::Start;
use super::step::Step;

/// The workload as it was recorded.
pub(super) struct Recording<E> {
    /// What was explored: "region" or "mapping".
    pub subject: &'static str,
    /// What there was before the first event.
    pub start: Start<E>,
    /// What happened.
    pub events: Vec<Event>,
    /// What the workload began, in order.
    pub notes: Vec<E>,
    /// What the workload's own commits published too early, whatever the images show.
    pub exposed: Option<Exposed>,
}

impl<E: Clone> Recording<E> {
    /// What the recorder saw of a workload on a `subject`.
    pub(super) fn of(subject: &'static str, start: Start<E>, recorder: &Recorder, log: &Log<E>) -> Self {
        let notes = log.history().begun().to_vec();
        let mut state = recorder.state();
        let (events, exposed) = (std::mem::take(&mut state.events), state.exposed.take());
        Recording { subject, start, events, notes, exposed }
    }

    /// The failure that needs no image: something was published too early.
    pub(super) fn exposure(&self) -> Option<Failure> {
        let exposed = self.exposed.clone()?;
        let crash = Crash::Power(exposed.event);
        let count = |which: fn(EventKind) -> bool| {
            self.events[..exposed.event].iter().filter(|event| which(event.kind)).count()
        };
        Some(Failure {
            subject: self.subject,
            message: Exposed::MESSAGE.to_string(),
            found_at: None,
            steps: vec![Step::new(crash, Moment::of(crash, &self.events))],
            lost: Vec::new(),
            survived: Vec::new(),
            undurable: exposed.open,
            acknowledged: count(|kind| matches!(kind, EventKind::Acknowledge(_))),
            begun: count(|kind| matches!(kind, EventKind::Begin(_))),
        })
    }
}
