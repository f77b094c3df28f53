//! Mutants: does anything notice when a flush or a fence is left out?

use super::explore::{Explorer, Mutation};
use super::recorder::{EventKind, Site};
use super::report::{Failure, name};
use crate::persistent::Persistent;
use std::fmt;

/// What [`Explorer::mutants`] found.
#[must_use = "look at `survivors`"]
pub struct Mutants {
    killed: Vec<(String, Failure)>,
    survivors: Vec<String>,
}

impl Mutants {
    /// How many deletions some image brought to light.
    pub fn killed(&self) -> usize {
        self.killed.len()
    }

    /// Deletions that no check noticed: the flush or fence is redundant, or the check too weak.
    pub fn survivors(&self) -> &[String] {
        &self.survivors
    }

    /// Each deletion that was noticed, with the failure that it led to.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &Failure)> {
        self.killed.iter().map(|(what, failure)| (what.as_str(), failure))
    }
}

impl fmt::Display for Mutants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} flushes and fences deleted one by one", self.killed.len() + self.survivors.len())?;
        write!(f, ", {} noticed", self.killed.len())?;
        for survivor in &self.survivors {
            write!(f, "\nnot noticed: {survivor}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Mutants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<R: Persistent, E: Clone + Send + Sync + 'static> Explorer<R, E> {
    /// Leaves out each flush and each fence of the recorded workload in turn, then each place in recovery (and
    /// in what [`Explorer::then`] does), and explores again.
    ///
    /// # Panics
    ///
    /// If the workload fails with nothing left out.
    pub fn mutants(&self) -> Mutants {
        let recording = self.record();
        let (report, sites) = self.explore(&recording, Mutation::default(), false);
        let _ = report.assert();
        let mut mutants = Mutants { killed: Vec::new(), survivors: Vec::new() };
        let mut add = |what: String, mutation: Mutation| {
            match self.explore(&recording, mutation, false).0.failure {
                Some(failure) => mutants.killed.push((what, failure)),
                None => mutants.survivors.push(what),
            }
        };
        for (index, event) in recording.events.iter().enumerate() {
            let of = match event.kind {
                EventKind::Fence => String::new(),
                EventKind::Flush { line } => format!(" of line {line}"),
                _ => continue,
            };
            let (origin, site) = (event.origin, event.site);
            let what = format!(
                "event {index}, {}{of} for {}:{}, made at {}:{}",
                name(event.kind),
                origin.file(),
                origin.line(),
                site.file(),
                site.line()
            );
            add(what, Mutation { event: Some(index), site: None });
        }
        let mut sites: Vec<Site> = sites.into_iter().collect();
        sites.sort_unstable();
        for site in sites {
            let kind = if site.fence { "fence" } else { "flush" };
            let what = format!("in recovery or after it: the {kind} at {}:{}:{}", site.file, site.line, site.column);
            add(what, Mutation { event: None, site: Some(site) });
        }
        mutants
    }
}
