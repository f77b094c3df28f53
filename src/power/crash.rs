//! [`Crash`]: one crash of a run, and which crashes of a run are tried.

use super::event::{Event, EventKind};
use std::fmt;
use std::str::FromStr;

/// A crash: its kind, and how many events of the run had happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    Power(usize),
    Kill(usize),
}

impl Crash {
    /// Every crash of a run that is tried, in the order in which they are explored: power failures before every
    /// fence, after every acknowledgement, and at the end; then kills, if they are wanted.
    pub(super) fn all_of(events: &[Event], kills: bool) -> Vec<Crash> {
        let mut crashes = Vec::new();
        for (index, event) in events.iter().enumerate() {
            match event.kind {
                EventKind::Fence => crashes.push(Crash::Power(index)),
                EventKind::Acknowledge(_) => crashes.push(Crash::Power(index + 1)),
                _ => {}
            }
        }
        crashes.push(Crash::Power(events.len()));
        // A power failure makes the plainer story, where there is one.
        if kills {
            let after = (0..events.len()).filter(|&index| is_kill_point(events, index));
            crashes.extend(after.map(|index| Crash::Kill(index + 1)));
        }
        crashes
    }

    /// How many events had happened.
    pub(super) fn event(self) -> usize {
        match self {
            Crash::Power(event) | Crash::Kill(event) => event,
        }
    }
}

/// Whether a process is killed after this event: after every store. Of several stores in a row to new objects only
/// the last counts: nothing reaches these objects, so recovery reads none of them and can't tell the kills apart.
fn is_kill_point(events: &[Event], index: usize) -> bool {
    let next_is_in_new_object = events.get(index + 1).is_some_and(Event::is_in_new_object);
    events[index].is_store() && !(events[index].is_in_new_object() && next_is_in_new_object)
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Crash::Power(event) => write!(f, "power@{event}"),
            Crash::Kill(event) => write!(f, "kill@{event}"),
        }
    }
}

impl FromStr for Crash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = |number: &str| number.parse().map_err(|error| format!("{text}: {error}"));
        match text.split_once('@') {
            Some(("power", number)) => Ok(Crash::Power(parse(number)?)),
            Some(("kill", number)) => Ok(Crash::Kill(parse(number)?)),
            _ => Err(format!("{text}: neither power@N nor kill@N")),
        }
    }
}
