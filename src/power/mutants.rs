//! [`Mutants`]: does anything notice when a flush or a fence is left out?

use super::event::{Event, EventKind};
use super::failure::Failure;
use super::mutation::{Mutation, Site};
use super::run::Subject;
use super::search::search;
use crate::flush::LINE;
use std::fmt;

/// A flush or fence that was left out, and what came of it.
///
/// ```
/// # use indelible::{Word, power::{Explorer, History}};
/// # fn explorer() -> Explorer<Word<u64>, u64> {
/// #     Explorer::new(
/// #         || Word::new(0),
/// #         |region, log| {
/// #             for n in 1..=2 {
/// #                 log.begin(n);
/// #                 region.transact(|tx, count| Ok(tx.store(count, n)))?;
/// #                 log.acknowledge();
/// #             }
/// #             Ok(())
/// #         },
/// #         |count: &Word<u64>, history: &History<u64>| {
/// #             assert!(count.get() >= history.acknowledged().last().copied().unwrap_or(0));
/// #         },
/// #     )
/// # }
/// let mutants = explorer().mutants();
/// for mutant in mutants.survivors() {
///     let who = if mutant.is_explicit() { "the program" } else { "the crate" };
///     println!("nobody missed {}, made by {who} at {}", mutant.what(), mutant.site());
/// }
/// let mutant = mutants.noticed().next().expect("a commit without its fence is noticed");
/// println!("without {}: {}", mutant.what(), mutant.failure().expect("it was noticed").message());
/// ```
#[derive(Clone, Debug)]
pub struct Mutant {
    /// Which flush or fence, in words.
    what: String,
    /// Where it is made, as `file:line`.
    site: String,
    /// Whether the program asked for it.
    explicit: bool,
    /// Whether it is the fence with which a commit ends.
    commit: bool,
    /// What was noticed; `None` if nothing was.
    failure: Option<Failure>,
}

impl Mutant {
    /// The deletion of this event of the recorded workload, if it is a flush or a fence.
    fn of_event(index: usize, event: &Event) -> Option<Self> {
        let of = match event.kind {
            EventKind::Fence => String::new(),
            EventKind::Flush { line } => format!(" of the cache line at offset {:#x},", line * LINE),
            _ => return None,
        };
        let (origin, site) = (event.origin, event.site);
        let explicit = event.is_explicit();
        let place = format!("{}:{}", site.file(), site.line());
        let mut what = format!("event {index}, {}{of} at {place}", event.kind.name());
        if !explicit {
            what += &format!(" for {}:{}", origin.file(), origin.line());
        }
        Some(Mutant { what, site: place, explicit, commit: event.is_commits_fence(), failure: None })
    }

    /// The deletion of this flush or fence from recovery and what follows it.
    fn of_site(site: Site, explicit: bool) -> Self {
        let kind = if site.fence { "fence" } else { "flush" };
        let place = format!("{}:{}", site.file, site.line);
        let what = format!("in recovery or after it, the {kind} at {place}:{}", site.column);
        Mutant { what, site: place, explicit, commit: false, failure: None }
    }

    /// Which flush or fence, in words.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The line of source that makes it, as `file:line`.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// Whether the program asked for it, with `flush`, `fence`, `persist` or `stream_slice`. Otherwise a
    /// commit, an opening or a closing made it.
    pub fn is_explicit(&self) -> bool {
        self.explicit
    }

    /// The failure that it led to; `None` if no check noticed. Its seed does not replay, because nothing is left
    /// out then.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }
}

/// What [`Explorer::mutants`](super::Explorer::mutants) found.
///
/// ```
/// # use indelible::{Word, power::{Explorer, History}};
/// # fn explorer() -> Explorer<Word<u64>, u64> {
/// #     Explorer::new(
/// #         || Word::new(0),
/// #         |region, log| {
/// #             for n in 1..=2 {
/// #                 log.begin(n);
/// #                 region.transact(|tx, count| Ok(tx.store(count, n)))?;
/// #                 log.acknowledge();
/// #             }
/// #             Ok(())
/// #         },
/// #         |count: &Word<u64>, history: &History<u64>| {
/// #             assert!(count.get() >= history.acknowledged().last().copied().unwrap_or(0));
/// #         },
/// #     )
/// # }
/// let mutants = explorer().mutants();
/// assert!(mutants.is_exhaustive());
/// assert!(mutants.noticed().count() > 0);
/// assert_eq!(mutants.redundant().count(), 0, "a flush or fence that could be left out:\n{mutants}");
/// assert_eq!(mutants.unchecked().count(), 0, "a commit that the check does not look for:\n{mutants}");
/// println!("{} survived, all of them the crate's own", mutants.survivors().count());
/// ```
#[must_use = "look at `survivors`"]
pub struct Mutants {
    /// In the order of the workload; then those in recovery.
    all: Vec<Mutant>,
    /// Whether each survivor survived all images.
    exhaustive: bool,
}

impl Mutants {
    /// Leaves out each flush and each fence of the recorded workload in turn, then each place in recovery and after
    /// it, and explores again.
    ///
    /// # Panics
    ///
    /// If the workload fails with nothing left out.
    pub(super) fn of<S: Subject>(subject: &S) -> Self {
        let recording = subject.record();
        let (report, sites) = search(subject, &recording, Mutation::default());
        let _ = report.assert();
        let mut found = Mutants { all: Vec::new(), exhaustive: true };
        let mut add = |mutant: Mutant, mutation: Mutation| {
            let (report, _) = search(subject, &recording, mutation);
            found.exhaustive &= report.failure.is_some() || report.is_exhaustive();
            found.all.push(Mutant { failure: report.failure, ..mutant });
        };
        for (index, event) in recording.events.iter().enumerate() {
            if let Some(mutant) = Mutant::of_event(index, event) {
                add(mutant, Mutation { event: Some(index), site: None });
            }
        }
        let mut sites: Vec<(Site, bool)> = sites.into_iter().collect();
        sites.sort_unstable();
        for (site, explicit) in sites {
            add(Mutant::of_site(site, explicit), Mutation { event: None, site: Some(site) });
        }
        found
    }

    /// Whether each survivor survived all images that can be told apart; otherwise a budget was used up, and an
    /// image that was not tried may notice it.
    pub fn is_exhaustive(&self) -> bool {
        self.exhaustive
    }

    /// Deletions that some image brought to light.
    pub fn noticed(&self) -> impl Iterator<Item = &Mutant> {
        self.all.iter().filter(|mutant| mutant.failure.is_some())
    }

    /// Deletions that no check noticed: the flush or fence is redundant in this workload, or the check too
    /// weak.
    ///
    /// Those that are not [explicit](Mutant::is_explicit) are no fault of the program's: the engine flushes and
    /// fences for what may follow, and not every workload goes there.
    pub fn survivors(&self) -> impl Iterator<Item = &Mutant> {
        self.all.iter().filter(|mutant| mutant.failure.is_none())
    }

    /// Survivors that the program asked for. It could leave them out.
    ///
    /// Two small objects may share a cache line; then either flush will do, and both are here, or only the first
    /// if the other object was written after it. An object of which a word is changed after it was published is
    /// flushed again by the commit. Flushes of either kind can't be saved by leaving out a call.
    pub fn redundant(&self) -> impl Iterator<Item = &Mutant> {
        self.survivors().filter(|mutant| mutant.explicit)
    }

    /// Survivors that are fences of commits: the workload does not acknowledge what they make durable, or the
    /// check does not look for it.
    pub fn unchecked(&self) -> impl Iterator<Item = &Mutant> {
        self.survivors().filter(|mutant| mutant.commit)
    }
}

impl fmt::Display for Mutants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} flushes and fences left out one by one", self.all.len())?;
        write!(f, ", {} noticed", self.noticed().count())?;
        if !self.exhaustive {
            write!(f, "\nnot exhaustive: of some, images were sampled or left out")?;
        }
        for mutant in self.redundant() {
            write!(f, "\nredundant:   {}", mutant.what)?;
        }
        for mutant in self.unchecked() {
            write!(f, "\nunchecked:   {}", mutant.what)?;
        }
        match self.survivors().filter(|mutant| !mutant.explicit && !mutant.commit).count() {
            0 => Ok(()),
            n => write!(f, "\nnot noticed: {n} more, which the crate makes for what may follow elsewhere"),
        }
    }
}

impl fmt::Debug for Mutants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
