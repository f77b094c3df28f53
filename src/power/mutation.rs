//! [`Mutation`]: a flush or fence that is left out, and [`Site`], its place in the source.

use super::event::{Event, EventKind};
use crate::observe::Origin;

/// A flush or fence in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Site {
    pub fence: bool,
    pub file: &'static str,
    pub line: u32,
    pub column: u32,
}

impl Site {
    pub(super) fn of(event: &Event) -> Option<Self> {
        let fence = match event.kind {
            EventKind::Fence => true,
            EventKind::Flush { .. } => false,
            _ => return None,
        };
        Some(Self::at(fence, event.site))
    }

    pub(super) fn at(fence: bool, site: Origin) -> Self {
        Site { fence, file: site.file(), line: site.line(), column: site.column() }
    }
}

/// What is left out of a run; nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mutation {
    /// Number of an event of the recorded workload.
    pub event: Option<usize>,
    /// A place in the source, in recovery and what follows it.
    pub site: Option<Site>,
}

impl Mutation {
    /// Whether nothing is left out.
    pub(super) fn is_nothing(&self) -> bool {
        self.event.is_none() && self.site.is_none()
    }

    /// Whether it leaves out this event of a run, the one with this number.
    pub(super) fn leaves_out(&self, number: usize, event: &Event) -> bool {
        self.event == Some(number) || (self.site.is_some() && self.site == Site::of(event))
    }

    /// What of it is left out of the recorded workload.
    pub(super) fn of_workload(self) -> Self {
        Mutation { site: None, ..self }
    }

    /// What of it is left out of recovery, and of what follows.
    pub(super) fn of_recovery(self) -> Self {
        Mutation { event: None, ..self }
    }
}
