//! [`Report`] and [`Failure`], for people who never saw the tool.

use super::choice::Path;
use super::explore::is_ours;
use super::machine::{Machine, Model, Open, Unit};
use super::recorder::{Event, EventKind, Phase};
use crate::observe::Origin;
use std::fmt;
use std::io::{IsTerminal, Write};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// A crash: its kind, and how many events had happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    Power(usize),
    Kill(usize),
}

impl Crash {
    pub(crate) fn event(self) -> usize {
        match self {
            Crash::Power(event) | Crash::Kill(event) => event,
        }
    }
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

/// Where in a run a crash strikes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// The fence that is not made any more, or else the last event.
    event: Option<Event>,
    before: bool,
    /// The run had got past recovery.
    open: bool,
}

impl Place {
    pub(crate) fn of(crash: Crash, events: &[Event]) -> Self {
        let (past, future) = events.split_at(crash.event());
        let open = past.iter().any(|event| event.kind == EventKind::Phase(Phase::Open));
        let fence = future.first().filter(|next| next.kind == EventKind::Fence);
        match (crash, fence) {
            (Crash::Power(_), Some(&fence)) => Place { event: Some(fence), before: true, open },
            _ => {
                let told =
                    |event: &&Event| !matches!(event.kind, EventKind::Phase(_) | EventKind::Decide { .. });
                Place { event: past.iter().rev().find(told).copied(), before: false, open }
            }
        }
    }

    /// The line of the program; `None` where the program has no part in it.
    fn line(&self) -> Option<String> {
        self.event.filter(|event| !is_ours(event.origin)).map(|event| line(Some(event.origin)))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(event) = self.event else { return f.write_str("before anything happened") };
        let when = if self.before { "before" } else { "after" };
        write!(f, "just {when} {} ", name(event.kind))?;
        match self.line() {
            Some(line) => write!(f, "of {line}"),
            None => write!(f, "that {} makes", line(Some(event.site))),
        }
    }
}

/// A crash, and what was chosen in the recovery that followed.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub crash: Crash,
    pub place: Place,
    pub path: Path,
    /// In place of a path: the units that do not have their newest value.
    pub forced: Option<Vec<(Unit, usize)>>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.crash)?;
        let Some(forced) = &self.forced else { return write!(f, "{}", self.path) };
        let units: Vec<String> = forced
            .iter()
            .map(|(unit, index)| format!("{}{}={index}", if unit.whole { "line" } else { "word" }, unit.word))
            .collect();
        write!(f, "={}", units.join(","))
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text}: not what a report prints as its seed");
        let (crash, choices) = text.split_once(':').ok_or_else(wrong)?;
        let crash = crash.parse()?;
        let Some(units) = choices.strip_prefix('=') else {
            return Ok(Step {
                crash,
                place: Place::default(),
                path: choices.parse().map_err(|_| wrong())?,
                forced: None,
            });
        };
        let unit = |text: &str| {
            let (unit, index) = text.split_once('=')?;
            let (whole, word) = match unit.strip_prefix("line") {
                Some(word) => (true, word),
                None => (false, unit.strip_prefix("word")?),
            };
            Some((Unit { word: word.parse().ok()?, whole }, index.parse().ok()?))
        };
        let units = units.split(',').filter(|unit| !unit.is_empty()).map(unit).collect::<Option<_>>();
        let forced = Some(units.ok_or_else(wrong)?);
        Ok(Step { crash, place: Place::default(), path: Path::default(), forced })
    }
}

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
    pub(crate) message: String,
    /// Where it panicked, if it did.
    pub(crate) found_at: Option<String>,
    pub(crate) steps: Vec<Step>,
    /// Stores that must be lost for it.
    pub(crate) lost: Vec<(Open, usize)>,
    /// Stores that must survive for it, though nothing made them durable.
    pub(crate) survived: Vec<Open>,
    pub(crate) undurable: Vec<Open>,
    pub(crate) acknowledged: usize,
    pub(crate) begun: usize,
}

impl Failure {
    /// What recovery or the check complained about.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The line that panicked, as `file:line`: of the check, as a rule. `None` if it answered an error.
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
        self.steps.first()?.place.line()
    }

    /// The lines of the program whose stores survived though nothing had made them durable, and without which
    /// nothing would be wrong.
    pub fn survived_at(&self) -> Vec<String> {
        self.survived.iter().map(origin).collect()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "a crash can leave the region wrong: {}", self.message)?;
        writeln!(f)?;
        if let Some(found_at) = &self.found_at {
            writeln!(f, "found at:  {found_at}")?;
        }
        for (index, Step { crash, place, .. }) in self.steps.iter().enumerate() {
            let what = match crash {
                Crash::Power(_) => "the power fails",
                Crash::Kill(_) => "the process is killed",
            };
            match (index, place.open) {
                (0, _) => writeln!(f, "crash:     {what} {place}")?,
                (_, false) => writeln!(f, "then:      in the recovery from that, {what} {place}")?,
                (_, true) => writeln!(f, "then:      after the recovery from that, {what} {place}")?,
            }
        }
        writeln!(f, "progress:  {} begun, {} of them acknowledged", self.begun, self.acknowledged)?;
        let lost = self.lost.iter().flat_map(|(open, index)| {
            lost_from(open, *index).map(move |line| (line, open, change(open, *index)))
        });
        grouped(f, "lost:     ", "", lost)?;
        let survived =
            self.survived.iter().map(|open| (origin(open), open, change(open, open.values.len() - 1)));
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

fn line(origin: Option<Origin>) -> String {
    origin.map_or_else(|| "what was there before".to_string(), |at| format!("{}:{}", at.file(), at.line()))
}

/// The lines of the stores to a unit that are lost when it has the value with this number.
fn lost_from(open: &Open, index: usize) -> impl Iterator<Item = String> {
    open.origins[index + 1..].iter().map(|&at| line(at))
}

/// Writes one line for each line of the program.
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
            group.iter().take(SHOWN).map(|(open, _)| format!("{:#x}", open.unit.word * 8)).collect();
        let more = match group.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (count, offsets) = (group.len(), offsets.join(", "));
        writeln!(f, "{label} {count} stores of {line}{remark} (at offsets {offsets}{more})")?;
    }
    Ok(())
}

fn unit(open: &Open) -> String {
    format!("{} at offset {:#x}", if open.unit.whole { "line" } else { "word" }, open.unit.word * 8)
}

fn change(open: &Open, index: usize) -> String {
    let show = |values: &[u64]| {
        let words: Vec<String> = values.iter().map(|value| format!("{value:#x}")).collect();
        words.join(" ")
    };
    let last = open.values.len() - 1;
    match index == last {
        true => format!("{}: {}", unit(open), show(&open.values[last])),
        false => {
            format!("{}: {} instead of {}", unit(open), show(&open.values[index]), show(&open.values[last]))
        }
    }
}

pub(crate) fn name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Store { .. } => "a store",
        EventKind::Stream { .. } => "a streamed store",
        EventKind::Flush { .. } => "a flush",
        EventKind::Fence => "the fence",
        EventKind::Grow { .. } => "the growth",
        EventKind::Sync => "the sync",
        EventKind::Begin(_) => "the beginning",
        EventKind::Acknowledge(_) => "the acknowledgement",
        EventKind::Decide { .. } => "a choice",
        EventKind::Phase(_) => "the opening or closing",
    }
}

/// How many images one crash could leave, and how many of them could be told apart; see [`Report::sizes`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Size {
    /// Images that were tried: those that recovery and the root's walk can tell apart.
    pub tried: usize,
    /// Stores that no fence had made durable.
    pub undurable: usize,
    /// How many images there are, as a power of ten: the product of the numbers of values that each unit may
    /// have.
    pub log10: f64,
}

impl Size {
    pub(crate) fn of(crashed: &Machine, tried: usize) -> Self {
        let open = crashed.all_undecided();
        Size {
            tried,
            undurable: open.iter().map(|open| open.stored.len() - 1).sum(),
            log10: open.iter().map(|open| (open.values.len() as f64).log10()).sum(),
        }
    }
}

/// What an exploration found.
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
/// let report = explorer().run().assert();
/// println!("{} crash points, {} images in {:.1} s", report.crash_points(), report.images(), report.seconds());
/// for size in report.sizes() {
///     println!("{} of 10^{:.0} images could be told apart", size.tried, size.log10);
/// }
/// assert!(report.failure().is_none() && report.is_exhaustive());
/// ```
#[must_use = "look at `failure`, or call `assert`"]
pub struct Report {
    pub(crate) failure: Option<Failure>,
    pub(crate) crash_points: usize,
    pub(crate) images: usize,
    pub(crate) sizes: Vec<Size>,
    pub(crate) sampled: usize,
    pub(crate) left_out: usize,
    pub(crate) modulo_checksum: bool,
    pub(crate) time: Duration,
    pub(crate) seed: u64,
    pub(crate) model: Model,
    pub(crate) events: Vec<Event>,
    pub(crate) base: Machine,
}

impl Report {
    /// The first image that went wrong.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Distinct states in which a crash was tried.
    pub fn crash_points(&self) -> usize {
        self.crash_points
    }

    /// Images on which recovery and the check ran.
    pub fn images(&self) -> usize {
        self.images
    }

    /// For each power failure of the recorded workload, in order, how many images it could leave, and how many
    /// were tried. A crash that leaves the same as an earlier one is not counted again, and one that was
    /// sampled, or went wrong, not at all.
    pub fn sizes(&self) -> &[Size] {
        &self.sizes
    }

    /// How long it took.
    pub fn seconds(&self) -> f64 {
        self.time.as_secs_f64()
    }

    /// Whether all images that can be told apart were tried.
    pub fn is_exhaustive(&self) -> bool {
        self.sampled == 0 && self.left_out == 0 && self.failure.is_none()
    }

    /// Panics with the whole story if an image went wrong.
    ///
    /// # Panics
    ///
    /// As said.
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
    /// let _ = explorer().run().assert(); // as a test ends
    /// ```
    #[track_caller]
    pub fn assert(self) -> Self {
        assert!(self.failure.is_none(), "{self}");
        self
    }

    /// The recorded workload as a picture, with the failure's crash marked if there is one.
    ///
    /// ```no_run
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
    /// std::fs::write("crash.svg", explorer().run().svg()).unwrap();
    /// ```
    pub fn svg(&self) -> String {
        let crash = self.failure.as_ref().and_then(|failure| failure.steps.first()).map(|step| step.crash);
        super::svg::timeline(&self.base, &self.events, crash)
    }
}

/// The failure, if there is one, and what was tried; `{:#}` leaves out the time, for text that is compared.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(failure) = &self.failure {
            writeln!(f, "{failure}")?;
        }
        let count = |n: usize, of: &str| format!("{n} {of}{}", if n == 1 { "" } else { "s" });
        write!(f, "{}, {}, ", count(self.crash_points, "crash point"), count(self.images, "image"))?;
        match &self.failure {
            Some(_) => write!(f, "stopped at the first failure")?,
            None if self.is_exhaustive() => write!(f, "exhaustive")?,
            None => {
                write!(
                    f,
                    "not exhaustive ({} sampled with seed {}",
                    count(self.sampled, "image"),
                    self.seed
                )?;
                write!(f, ", {} left out)", count(self.left_out, "crash point"))?;
            }
        }
        if self.modulo_checksum {
            write!(f, " modulo checksum collision")?;
        }
        write!(f, ", {:?}", self.model)?;
        match f.alternate() {
            true => Ok(()),
            false => write!(f, ", {:.1} s", self.time.as_secs_f64()),
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Shows a line of progress on a terminal until `done`.
pub(super) fn show_progress(done: impl Fn() -> bool, now: impl Fn() -> (usize, usize, usize)) {
    let mut terminal = std::io::stderr();
    if !terminal.is_terminal() {
        return;
    }
    let began = Instant::now();
    let mut shown = false;
    while !done() {
        std::thread::park_timeout(Duration::from_millis(50));
        if began.elapsed() > Duration::from_secs(1) {
            let (at, of, images) = now();
            let _ = write!(terminal, "\rexploring: crash {at} of {of}, {images} images ");
            shown = true;
        }
    }
    if shown {
        let _ = write!(terminal, "\r\x1b[K");
    }
}
