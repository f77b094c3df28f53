//! [`Moment`]: when in a run a crash strikes, in a reader's words.

use super::crash::Crash;
use super::event::{Event, EventKind, Phase};
use std::fmt;

/// When in a run a crash strikes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    /// The fence that is not made any more; elsewhere the last event that a reader knows.
    event: Option<Event>,
    /// Whether it is before `event`; otherwise it is after it.
    before: bool,
    /// Whether the run had got past recovery.
    open: bool,
}

impl Moment {
    /// When a crash of a run with these events strikes.
    pub(super) fn of(crash: Crash, events: &[Event]) -> Self {
        let (past, future) = events.split_at(crash.event());
        let open = past.iter().any(|event| event.kind == EventKind::Phase(Phase::Open));
        let fence = future.first().filter(|next| next.kind == EventKind::Fence);
        match (crash, fence) {
            (Crash::Power(_), Some(&fence)) => Moment { event: Some(fence), before: true, open },
            _ => {
                let told =
                    |event: &&Event| !matches!(event.kind, EventKind::Phase(_) | EventKind::Decide { .. });
                Moment { event: past.iter().rev().find(told).copied(), before: false, open }
            }
        }
    }

    /// The line of the program, as `file:line`; `None` where the program has no part in it.
    pub(super) fn line(&self) -> Option<String> {
        let origin = self.event?.line_of_program()?;
        Some(format!("{}:{}", origin.file(), origin.line()))
    }

    /// Whether the run had got past recovery.
    pub(super) fn is_after_recovery(&self) -> bool {
        self.open
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(event) = self.event else { return f.write_str("before anything happened") };
        let when = if self.before { "before" } else { "after" };
        write!(f, "just {when} {} ", event.kind.name())?;
        match self.line() {
            Some(line) => write!(f, "of {line}"),
            None => write!(f, "that {}:{} makes", event.site.file(), event.site.line()),
        }
    }
}
