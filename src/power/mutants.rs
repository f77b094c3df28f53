//! Mutants: does anything notice when a flush or a fence is left out?

use super::explore::{Explorer, Mutation};
use super::recorder::{EventKind, Site};
use super::report::{Failure, name};
use crate::persistent::Persistent;
use std::fmt;

/// A flush or fence that was left out, and what came of it.
#[derive(Clone, Debug)]
pub struct Mutant {
    what: String,
    site: String,
    failure: Option<Failure>,
}

impl Mutant {
    /// Which flush or fence, in words.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The line of source that makes it, as `file:line`.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// The failure that it led to; `None` if no check noticed.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }
}

/// What [`Explorer::mutants`] found.
#[must_use = "look at `survivors`"]
pub struct Mutants {
    all: Vec<Mutant>,
}

impl Mutants {
    /// Deletions that some image brought to light.
    pub fn noticed(&self) -> impl Iterator<Item = &Mutant> {
        self.all.iter().filter(|mutant| mutant.failure.is_some())
    }

    /// Deletions that no check noticed: the flush or fence is redundant, or the check too weak.
    pub fn survivors(&self) -> impl Iterator<Item = &Mutant> {
        self.all.iter().filter(|mutant| mutant.failure.is_none())
    }
}

impl fmt::Display for Mutants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} flushes and fences left out one by one", self.all.len())?;
        write!(f, ", {} noticed", self.noticed().count())?;
        for survivor in self.survivors() {
            write!(f, "\nnot noticed: {}", survivor.what)?;
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
        let mut all = Vec::new();
        let mut add = |what: String, site: String, mutation: Mutation| {
            let failure = self.explore(&recording, mutation, false).0.failure;
            all.push(Mutant { what, site, failure });
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
            let site = format!("{}:{}", site.file(), site.line());
            add(what, site, Mutation { event: Some(index), site: None });
        }
        let mut sites: Vec<Site> = sites.into_iter().collect();
        sites.sort_unstable();
        for site in sites {
            let kind = if site.fence { "fence" } else { "flush" };
            let what =
                format!("in recovery or after it: the {kind} at {}:{}:{}", site.file, site.line, site.column);
            add(what, format!("{}:{}", site.file, site.line), Mutation { event: None, site: Some(site) });
        }
        Mutants { all }
    }
}
