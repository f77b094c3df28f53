//! [`Failure`]: what can go wrong, told to people who never saw the tool.

use super::crash::Crash;
use super::step::Step;
use super::unit::Open;
use crate::observe::Origin;
use std::fmt;

/// An image on which recovery or the check went wrong, and the shortest story for it.
///
/// ```
/// # use indelible::{Persistent, Word, power::{Explorer, History}};
/// # #[derive(Persistent, Default)] #[repr(C)] struct Pair { a: Word<u64>, b: Word<u64> }
/// # fn explorer() -> Explorer<Pair> {
/// #     Explorer::new(
/// #         Pair::default,
/// #         |region, _| {
/// #             region.transact(|tx, pair| Ok(tx.store(&pair.a, 1)))?;
/// #             region.transact(|tx, pair| Ok(tx.store(&pair.b, 1)))
/// #         },
/// #         |pair: &Pair, _: &History<()>| assert_eq!(pair.a.get(), pair.b.get(), "one without the other"),
/// #     )
/// # }
/// let report = explorer().run();
/// let failure = report.failure().expect("two transactions for what belongs together");
/// println!("{}", failure.message()); // … one without the other
/// println!("power fails at {:?}", failure.crash_at());
/// println!("lost: {:?}, survived: {:?}", failure.lost_at(), failure.survived_at());
/// println!("noticed at {:?}", failure.found_at());
/// println!("to see it again: explorer.replay({:?})", failure.seed());
/// assert!(failure.message().contains("one without the other"));
/// ```
#[derive(Clone, Debug)]
pub struct Failure {
    /// What was explored: "region" or "mapping".
    pub(super) subject: &'static str,
    /// What recovery or the check complained about.
    pub(super) message: String,
    /// Where it panicked, as `file:line`; `None` if it did not.
    pub(super) found_at: Option<String>,
    /// The crashes that led to the image.
    pub(super) steps: Vec<Step>,
    /// Units that must have an old value for it, each with the index of that value.
    pub(super) lost: Vec<(Open, usize)>,
    /// Units that must have their newest value for it, though nothing made that durable.
    pub(super) survived: Vec<Open>,
    /// Units that recovery, or a commit, took for durable and that were not.
    pub(super) undurable: Vec<Open>,
    /// How much the workload had acknowledged.
    pub(super) acknowledged: usize,
    /// How much the workload had begun.
    pub(super) begun: usize,
}

impl Failure {
    /// What recovery or the check complained about.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The line that panicked, as `file:line`: of the check, as a rule. `None` if it returned an error.
    pub fn found_at(&self) -> Option<&str> {
        self.found_at.as_deref()
    }

    /// What [`Explorer::replay`](super::Explorer::replay) takes to run this image again.
    pub fn seed(&self) -> String {
        let steps: Vec<String> = self.steps.iter().map(Step::to_string).collect();
        steps.join("/")
    }

    /// The lines of the program whose stores were lost, as `file:line`.
    pub fn lost_at(&self) -> Vec<String> {
        self.lost.iter().flat_map(|(open, index)| lost_from(open, *index)).collect()
    }

    /// The line of the program at which the (first) crash strikes, as `file:line`; `None` before its first
    /// event.
    pub fn crash_at(&self) -> Option<String> {
        self.steps.first()?.moment.line()
    }

    /// The lines of the program whose stores survived though nothing had made them durable, and without which
    /// nothing would be wrong.
    pub fn survived_at(&self) -> Vec<String> {
        self.survived.iter().map(origin).collect()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "a crash can leave the {} wrong: {}", self.subject, self.message)?;
        writeln!(f)?;
        if let Some(found_at) = &self.found_at {
            writeln!(f, "found at:  {found_at}")?;
        }
        for (index, Step { crash, moment, .. }) in self.steps.iter().enumerate() {
            let what = match crash {
                Crash::Power(_) => "the power fails",
                Crash::Kill(_) => "the process is killed",
            };
            match (index, moment.is_after_recovery()) {
                (0, _) => writeln!(f, "crash:     {what} {moment}")?,
                (_, false) => writeln!(f, "then:      in the recovery from that, {what} {moment}")?,
                (_, true) => writeln!(f, "then:      after the recovery from that, {what} {moment}")?,
            }
        }
        writeln!(f, "progress:  {} begun, {} of them acknowledged", self.begun, self.acknowledged)?;
        let lost = self.lost.iter().flat_map(|(open, index)| {
            lost_from(open, *index).map(move |line| (line, open, change(open, *index)))
        });
        grouped(f, "lost:     ", "", lost)?;
        let survived = self.survived.iter().map(|open| (origin(open), open, change(open, open.newest())));
        grouped(f, "survived: ", ", which no fence had made durable", survived)?;
        let reachable = self.undurable.iter().map(|open| (origin(open), open, unit(open)));
        grouped(f, "reachable:", ", which nothing had made durable", reachable)?;
        if self.lost.is_empty() && self.survived.is_empty() && self.undurable.is_empty() {
            writeln!(f, "lost:      nothing: every store made until then survived")?;
        }
        write!(f, "replay:    explorer.replay(\"{}\")", self.seed())
    }
}

/// The line of the last store to a unit.
fn origin(open: &Open) -> String {
    line(open.origins.last().copied().flatten())
}

/// A line of the program, as reports print it.
fn line(origin: Option<Origin>) -> String {
    origin.map_or_else(|| "what was there before".to_string(), |at| format!("{}:{}", at.file(), at.line()))
}

/// The lines of the stores to a unit that are lost when it has the value with this index.
fn lost_from(open: &Open, index: usize) -> impl Iterator<Item = String> {
    open.origins[index + 1..].iter().map(|&at| line(at))
}

/// Writes one line for each line of the program: `stores` are its lines, units, and what became of each.
fn grouped<'a>(
    f: &mut fmt::Formatter<'_>,
    label: &str,
    remark: &str,
    stores: impl Iterator<Item = (String, &'a Open, String)>,
) -> fmt::Result {
    const SHOWN: usize = 4;
    let mut groups: Vec<(String, Vec<(&Open, String)>)> = Vec::new();
    for (line, open, what) in stores {
        match groups.iter_mut().find(|(other, _)| *other == line) {
            Some((_, group)) => group.push((open, what)),
            None => groups.push((line, vec![(open, what)])),
        }
    }
    for (line, group) in groups {
        if let [(_, what)] = &group[..] {
            writeln!(f, "{label} the store of {line}{remark} ({what})")?;
            continue;
        }
        let offsets: Vec<String> =
            group.iter().take(SHOWN).map(|(open, _)| format!("{:#x}", open.unit.offset())).collect();
        let more = match group.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (count, offsets) = (group.len(), offsets.join(", "));
        writeln!(f, "{label} {count} stores of {line}{remark} (at offsets {offsets}{more})")?;
    }
    Ok(())
}

/// A unit, as reports print it.
fn unit(open: &Open) -> String {
    format!("{} at offset {:#x}", open.unit.kind(), open.unit.offset())
}

/// What a unit has, and if that is an old value, what it was given last.
fn change(open: &Open, index: usize) -> String {
    let show = |values: &[u64]| {
        let words: Vec<String> = values.iter().map(|value| format!("{value:#x}")).collect();
        words.join(" ")
    };
    let last = open.newest();
    match index == last {
        true => format!("{}: {}", unit(open), show(&open.values[last])),
        false => {
            format!("{}: {} instead of {}", unit(open), show(&open.values[index]), show(&open.values[last]))
        }
    }
}
