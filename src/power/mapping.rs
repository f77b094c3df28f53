//! [`MappingExplorer`]: the crash images of a [`Mapping`], with the program's own recovery on each.
//!
//! A raw format is read through plain bytes, and so nothing can be decided lazily as in a region: every unit that
//! a crash leaves open is decided before the format's own recovery sees a byte. The number of images of a crash is
//! the product of the numbers of values of *all* units then open, so keep a workload's writes between two fences
//! small, or the report says how much was sampled.

use super::choice::{Choices, Path};
use super::explore::apply;
use super::history::{History, Log, Verdict};
use super::machine::{Machine, Model, Open, Unit, WORD};
use super::mutants::{Mutant, Mutants};
use super::recorder::{Event, EventKind, Recorder};
use super::report::{Crash, Failure, Place, Report, Size, Step};
use super::silence::{self, Problem};
use crate::error::Result;
use crate::mapping::{Mapping, open};
use crate::medium::Map;
use crate::observe::Observe;
use std::collections::{HashMap, HashSet};
use std::panic::Location;
use std::sync::Arc;
use std::time::Instant;

type First = Box<dyn Fn(&mut Mapping<Recorder>) -> Result<()>>;
type Workload<E> = Box<dyn Fn(&mut Mapping<Recorder>, &Log<E>) -> Result<()>>;
type Check<E> = Box<dyn Fn(&mut Mapping<Recorder>, &History<E>) -> Result<(), String>>;

/// Explores the crash images of a workload on a [`Mapping`].
///
/// ```
/// use indelible::mapping::Mapping;
/// use indelible::power::{History, MappingExplorer};
///
/// // A record, and a word that says it is there.
/// let explorer = MappingExplorer::new(
///     4096,
///     |_| Ok(()), // zeros at first
///     |mapping, log| {
///         log.begin(7_u64);
///         let [word, record] = mapping.parts([0..8, 64..80])?;
///         let record = record.copy(&[7; 16]).fence()?; // without this fence the check fails
///         word.store(1).fence()?;
///         log.acknowledge();
///         drop(record);
///         Ok(())
///     },
///     |mapping, history: &History<u64>| {
///         let bytes = mapping.bytes();
///         assert!(bytes[0] == 0 || bytes[64..80] == [7; 16], "published, and not whole");
///         assert!(bytes[0] == 1 || history.acknowledged().is_empty(), "acknowledged, and lost");
///     },
/// );
/// assert!(explorer.run().assert().is_exhaustive());
/// ```
pub struct MappingExplorer<E = ()> {
    len: usize,
    first: First,
    workload: Workload<E>,
    check: Check<E>,
    model: Model,
    depth: usize,
    max_images: u64,
    seed: u64,
}

/// What a crash left, and how it came to this.
#[derive(Clone)]
struct Start<E> {
    machine: Machine,
    history: History<E>,
    steps: Vec<Step>,
}

/// What became of one image.
struct Run {
    problem: Option<Problem>,
    decided: Vec<(Open, usize)>,
    events: Vec<Event>,
    path: Path,
}

struct Recording<E> {
    machine: Machine,
    events: Vec<Event>,
    notes: Vec<E>,
}

/// The state of one exploration.
struct Progress {
    report: Report,
    seen: HashSet<u64>,
}

/// Images of one crash that are tried when the budget is used up.
const SAMPLES: usize = 64;

impl<E: Clone + 'static> MappingExplorer<E> {
    /// An explorer of mappings of `len` bytes, whole pages, that durably hold at first what `first` writes.
    ///
    /// `workload` runs once. `check` runs on every image, opened as [`Mapping::open`] opens a file: it does what
    /// the program does first, its recovery included, and fails by panicking or by answering an `Err`.
    pub fn new<V: Verdict>(
        len: usize,
        first: impl Fn(&mut Mapping<Recorder>) -> Result<()> + 'static,
        workload: impl Fn(&mut Mapping<Recorder>, &Log<E>) -> Result<()> + 'static,
        check: impl Fn(&mut Mapping<Recorder>, &History<E>) -> V + 'static,
    ) -> Self {
        MappingExplorer {
            len,
            first: Box::new(first),
            workload: Box::new(workload),
            check: Box::new(move |mapping, history| check(mapping, history).verdict()),
            model: Model::default(),
            depth: 2,
            max_images: 1 << 20,
            seed: 1,
        }
    }

    /// Which values survive; [`Model::Word8`] by default.
    ///
    /// ```
    /// # use indelible::{mapping::Mapping, power::{History, MappingExplorer, Model}};
    /// # fn explorer() -> MappingExplorer {
    /// #     MappingExplorer::new(
    /// #         4096,
    /// #         |_| Ok(()),
    /// #         |mapping, _| {
    /// #             let [word, record] = mapping.parts([0..8, 64..80])?;
    /// #             let record = record.copy(&[7; 16]).fence()?;
    /// #             word.store(1).fence()?;
    /// #             drop(record);
    /// #             Ok(())
    /// #         },
    /// #         |mapping, _: &History<()>| {
    /// #             let bytes = mapping.bytes();
    /// #             assert!(bytes[0] == 0 || bytes[64..80] == [7; 16], "published, and not whole");
    /// #         },
    /// #     )
    /// # }
    /// let _ = explorer().model(Model::Eadr).run().assert(); // on a machine whose caches are persistent
    /// ```
    pub fn model(mut self, model: Model) -> Self {
        self.model = model;
        self
    }

    /// How many crashes in a row, 2 by default: the second strikes recovery, in `check`.
    ///
    /// ```
    /// # use indelible::{mapping::Mapping, power::{History, MappingExplorer}};
    /// # fn explorer() -> MappingExplorer {
    /// #     MappingExplorer::new(
    /// #         4096,
    /// #         |_| Ok(()),
    /// #         |mapping, _| {
    /// #             let [word, record] = mapping.parts([0..8, 64..80])?;
    /// #             let record = record.copy(&[7; 16]).fence()?;
    /// #             word.store(1).fence()?;
    /// #             drop(record);
    /// #             Ok(())
    /// #         },
    /// #         |mapping, _: &History<()>| {
    /// #             let bytes = mapping.bytes();
    /// #             assert!(bytes[0] == 0 || bytes[64..80] == [7; 16], "published, and not whole");
    /// #         },
    /// #     )
    /// # }
    /// let _ = explorer().depth(1).run().assert(); // recovery changes nothing, so that no crash matters in it
    /// ```
    pub fn depth(mut self, crashes: usize) -> Self {
        self.depth = crashes.max(1);
        self
    }

    /// After so many images the rest is sampled, 64 of each crash, and the report says so. A million by default.
    ///
    /// ```
    /// # use indelible::{mapping::Mapping, power::{History, MappingExplorer}};
    /// # fn explorer() -> MappingExplorer {
    /// #     MappingExplorer::new(
    /// #         4096,
    /// #         |_| Ok(()),
    /// #         |mapping, _| {
    /// #             let [word, record] = mapping.parts([0..8, 64..80])?;
    /// #             let record = record.copy(&[7; 16]).fence()?;
    /// #             word.store(1).fence()?;
    /// #             drop(record);
    /// #             Ok(())
    /// #         },
    /// #         |mapping, _: &History<()>| {
    /// #             let bytes = mapping.bytes();
    /// #             assert!(bytes[0] == 0 || bytes[64..80] == [7; 16], "published, and not whole");
    /// #         },
    /// #     )
    /// # }
    /// let report = explorer().max_images(2).seed(7).run().assert();
    /// assert!(!report.is_exhaustive());
    /// ```
    pub fn max_images(mut self, images: u64) -> Self {
        self.max_images = images;
        self
    }

    /// Where sampling starts.
    ///
    /// ```
    /// # use indelible::{mapping::Mapping, power::{History, MappingExplorer}};
    /// # fn explorer() -> MappingExplorer {
    /// #     MappingExplorer::new(
    /// #         4096,
    /// #         |_| Ok(()),
    /// #         |mapping, _| {
    /// #             let [word, record] = mapping.parts([0..8, 64..80])?;
    /// #             let record = record.copy(&[7; 16]).fence()?;
    /// #             word.store(1).fence()?;
    /// #             drop(record);
    /// #             Ok(())
    /// #         },
    /// #         |mapping, _: &History<()>| {
    /// #             let bytes = mapping.bytes();
    /// #             assert!(bytes[0] == 0 || bytes[64..80] == [7; 16], "published, and not whole");
    /// #         },
    /// #     )
    /// # }
    /// for seed in 1..=3 {
    ///     let _ = explorer().max_images(2).seed(seed).run().assert(); // other images each time
    /// }
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs the workload and explores its crash images, until all are tried or one fails: power failures before
    /// every fence, after every acknowledgement and at the end; kills after every store, with power failures in
    /// the recovery from them.
    ///
    /// # Panics
    ///
    /// If `first` or the workload itself answers an error.
    pub fn run(&self) -> Report {
        self.explore(&self.record(), None)
    }

    /// Leaves out each flush and each fence of the recorded workload in turn, and explores again. Those of
    /// recovery, in the check, are not left out.
    ///
    /// # Panics
    ///
    /// If the workload fails with nothing left out.
    ///
    /// ```
    /// # use indelible::{mapping::Mapping, power::{History, MappingExplorer}};
    /// # fn explorer() -> MappingExplorer {
    /// #     MappingExplorer::new(
    /// #         4096,
    /// #         |_| Ok(()),
    /// #         |mapping, _| {
    /// #             let [word, record] = mapping.parts([0..8, 64..80])?;
    /// #             let record = record.copy(&[7; 16]).fence()?;
    /// #             word.store(1).fence()?;
    /// #             drop(record);
    /// #             Ok(())
    /// #         },
    /// #         |mapping, _: &History<()>| {
    /// #             let bytes = mapping.bytes();
    /// #             assert!(bytes[0] == 0 || bytes[64..80] == [7; 16], "published, and not whole");
    /// #         },
    /// #     )
    /// # }
    /// let mutants = explorer().mutants();
    /// assert!(mutants.noticed().count() >= 2, "{mutants}"); // the record's flush, and its fence
    /// ```
    pub fn mutants(&self) -> Mutants {
        let recording = self.record();
        let _ = self.explore(&recording, None).assert();
        let mut found = Mutants { all: Vec::new(), exhaustive: true };
        for (index, event) in recording.events.iter().enumerate() {
            let Some(mut mutant) = Mutant::of(index, event) else { continue };
            let report = self.explore(&recording, Some(index));
            found.exhaustive &= report.failure.is_some() || report.is_exhaustive();
            mutant.failure = report.failure;
            found.all.push(mutant);
        }
        found
    }

    /// Runs one image again, as a failure's report names it; `None` where nothing goes wrong.
    ///
    /// # Panics
    ///
    /// If `seed` is not of the form that reports print.
    ///
    /// ```
    /// # use indelible::{mapping::Mapping, power::{History, MappingExplorer}};
    /// # fn explorer() -> MappingExplorer {
    /// #     MappingExplorer::new(
    /// #         4096,
    /// #         |_| Ok(()),
    /// #         |mapping, _| {
    /// #             let [word, record] = mapping.parts([0..8, 64..80])?;
    /// #             let record = record.copy(&[7; 16]);
    /// #             word.store(1).fence()?;
    /// #             drop(record);
    /// #             Ok(())
    /// #         },
    /// #         |mapping, _: &History<()>| {
    /// #             let bytes = mapping.bytes();
    /// #             assert!(bytes[0] == 0 || bytes[64..80] == [7; 16], "published, and not whole");
    /// #         },
    /// #     )
    /// # }
    /// // A fence is missing between the record and the word that publishes it.
    /// let seed = explorer().run().failure().expect("it is not whole").seed();
    /// let again = explorer().replay(&seed).expect("it is still wrong");
    /// assert!(again.message().contains("not whole"));
    /// ```
    pub fn replay(&self, seed: &str) -> Option<Failure> {
        let recording = self.record();
        let mut last: Option<(Start<E>, Run)> = None;
        for step in seed.split('/') {
            let step: Step = step.parse().expect("the seed of a report");
            let mut start = match &last {
                None => self.start(&recording, None, step.crash)?,
                Some((from, run)) => within(from, &run.events, step.crash)?,
            };
            let forced = step.forced.map(|units| units.into_iter().collect());
            let run = self.image(&start, Choices::along(&step.path), forced);
            start.steps.last_mut()?.path = run.path.clone();
            last = Some((start, run));
        }
        let (start, run) = last?;
        run.problem.is_some().then(|| self.failure(&start, run))
    }

    fn record(&self) -> Recording<E> {
        let recorder = Recorder::zeroed(self.len, self.len).expect("a length of whole pages");
        let mut mapping = Mapping::on(recorder.clone());
        (self.first)(&mut mapping).expect("what is there first must be written where nothing fails");
        look(&mut mapping);
        // That is there, durably: there the story begins.
        let words: Vec<u64> =
            (0..self.len / WORD).map(|word| recorder.state().machine.visible(word)).collect();
        let machine = Machine::new(self.model, Arc::new(words));
        recorder.state().machine = machine.clone();
        recorder.state().events.clear();
        let log = Log::new(recorder.clone(), History::default());
        (self.workload)(&mut mapping, &log).expect("the workload must succeed where nothing fails");
        look(&mut mapping);
        let events = std::mem::take(&mut recorder.state().events);
        Recording { machine, events, notes: log.into_notes() }
    }

    /// The state at a crash of the recorded workload.
    fn start(&self, recording: &Recording<E>, without: Option<usize>, crash: Crash) -> Option<Start<E>> {
        let mut machine = recording.machine.clone();
        let mut history = History::default();
        for (at, event) in recording.events.get(..crash.event())?.iter().enumerate() {
            apply(&mut machine, event, without == Some(at), None);
            history.apply(event, &recording.notes, 0);
        }
        Some(crashed(&machine, &history, &recording.events, crash, &[]))
    }

    fn explore(&self, recording: &Recording<E>, without: Option<usize>) -> Report {
        silence::install();
        let began = Instant::now();
        let report = Report {
            failure: None,
            crash_points: 0,
            images: 0,
            sizes: Vec::new(),
            sampled: 0,
            left_out: 0,
            modulo_checksum: false,
            time: began.elapsed(),
            seed: self.seed,
            model: self.model,
            events: recording.events.clone(),
            base: recording.machine.clone(),
        };
        let mut progress = Progress { report, seen: HashSet::new() };
        for crash in crashes(&recording.events, self.depth > 1) {
            let start = self.start(recording, without, crash).expect("a crash of this recording");
            self.images(&start, 1, &mut progress);
            if progress.report.failure.is_some() {
                break;
            }
        }
        progress.report.time = began.elapsed();
        progress.report
    }

    /// All images of one crash, and crashes in the recovery from each.
    fn images(&self, start: &Start<E>, level: usize, progress: &mut Progress) {
        let state = start.machine.fingerprint()
            ^ (start.history.acknowledged().len() as u64) << 32
            ^ (start.history.begun().len() as u64) << 48
            ^ level as u64;
        if !progress.seen.insert(state) {
            return;
        }
        progress.report.crash_points += 1;
        let open = !start.machine.all_undecided().is_empty();
        let random = |tried: usize| Choices::random(self.seed.wrapping_mul(0x9e37_79b9) + tried as u64);
        let mut choices = Choices::default();
        let (mut tried, mut sampled) = (0, 0);
        loop {
            let sampling = open && progress.report.images as u64 >= self.max_images;
            if sampling {
                choices = random(progress.report.images + tried);
                sampled += 1;
                progress.report.sampled += 1;
            }
            let run = self.image(start, choices, None);
            progress.report.images += 1;
            tried += 1;
            if run.problem.is_some() {
                progress.report.failure = Some(self.failure(start, run));
                return;
            }
            if level < self.depth {
                for crash in crashes(&run.events, false) {
                    let mut from = start.clone();
                    from.steps.last_mut().expect("a crash").path = run.path.clone();
                    let next = within(&from, &run.events, crash).expect("a crash of this run");
                    self.images(&next, level + 1, progress);
                    if progress.report.failure.is_some() {
                        return;
                    }
                }
            }
            choices = Choices::along(&run.path);
            choices.replay_end();
            if sampled == SAMPLES || (sampled == 0 && !choices.next()) {
                break;
            }
        }
        if level == 1 && sampled == 0 && matches!(start.steps[0].crash, Crash::Power(_)) {
            progress.report.sizes.push(Size::of(&start.machine, tried));
        }
    }

    /// Decides what is in memory, opens it, and lets the program look.
    fn image(&self, start: &Start<E>, choices: Choices, forced: Option<HashMap<Unit, usize>>) -> Run {
        let map = Map::anonymous(self.len, self.len).expect("memory for a small mapping");
        (0..self.len / WORD).for_each(|word| map.store(word * WORD, start.machine.visible(word)));
        let recorder = Recorder::new(Arc::new(map), start.machine.clone(), choices);
        recorder.state().forced = forced;
        recorder.announce(0, self.len);
        let decided = std::mem::take(&mut recorder.state().decided);
        let problem = silence::catch(|| {
            open::settle(&recorder, Location::caller()).map_err(|error| error.to_string())?;
            let mut mapping = Mapping::on(recorder.clone());
            (self.check)(&mut mapping, &start.history)?;
            look(&mut mapping);
            Ok(())
        });
        let mut state = recorder.state();
        Run {
            problem: problem.err(),
            decided,
            events: std::mem::take(&mut state.events),
            path: state.choices.path(),
        }
    }

    /// Finds the shortest story for a failing image.
    fn failure(&self, start: &Start<E>, run: Run) -> Failure {
        let newest = |open: &Open| open.values.len() - 1;
        let mut best = run;
        let mut forced: HashMap<Unit, usize> =
            best.decided.iter().map(|(open, index)| (open.unit, *index)).collect();
        let fails = |forced: &HashMap<Unit, usize>| {
            let run = self.image(start, Choices::default(), Some(forced.clone()));
            run.problem.is_some().then_some(run)
        };
        // Give back each lost store that is not needed for the failure.
        for (open, index) in best.decided.clone() {
            if index == newest(&open) {
                continue;
            }
            let was = forced.insert(open.unit, newest(&open));
            match fails(&forced) {
                Some(run) => best = run,
                None => drop(was.map(|index| forced.insert(open.unit, index))),
            }
        }
        // Of those that survived, name the ones without which nothing would be wrong.
        let survivors = best.decided.iter().filter(|(open, index)| *index == newest(open) && *index > 0);
        let survived = survivors
            .filter(|(open, _)| {
                let mut without = forced.clone();
                without.insert(open.unit, 0);
                fails(&without).is_none()
            })
            .map(|(open, _)| open.clone())
            .collect();
        let lost: Vec<_> = best.decided.into_iter().filter(|(open, index)| *index != newest(open)).collect();
        let mut steps = start.steps.clone();
        if let Some(step) = steps.last_mut() {
            step.forced = Some(lost.iter().map(|(open, index)| (open.unit, *index)).collect());
        }
        let problem = best.problem.unwrap_or_else(|| Problem::from(String::new()));
        Failure {
            message: problem.message,
            found_at: problem.found_at,
            steps,
            lost,
            survived,
            undurable: Vec::new(),
            acknowledged: start.history.acknowledged().len(),
            begun: start.history.begun().len(),
        }
    }
}

/// Sees what was written and dropped without a flush.
fn look(mapping: &mut Mapping<Recorder>) {
    let _ = mapping.parts([]).expect("a recorder does not fail");
}

/// Every crash of a run. Stores to bytes that are `Dirty` are seen when they are flushed, one after the other, and
/// of these the last will do.
fn crashes(events: &[Event], kills: bool) -> Vec<Crash> {
    let is_store = |event: &Event| matches!(event.kind, EventKind::Store { .. } | EventKind::Stream { .. });
    let mut crashes = Vec::new();
    let mut killed = Vec::new();
    for (index, event) in events.iter().enumerate() {
        match event.kind {
            EventKind::Fence => crashes.push(Crash::Power(index)),
            EventKind::Acknowledge(_) => crashes.push(Crash::Power(index + 1)),
            _ if kills && is_store(event) && !events.get(index + 1).is_some_and(is_store) => {
                killed.push(Crash::Kill(index + 1));
            }
            _ => {}
        }
    }
    crashes.push(Crash::Power(events.len()));
    crashes.append(&mut killed);
    crashes
}

/// The state at a crash inside the recovery from an earlier one.
fn within<E: Clone>(from: &Start<E>, events: &[Event], crash: Crash) -> Option<Start<E>> {
    let mut machine = from.machine.clone();
    for event in events.get(..crash.event())? {
        apply(&mut machine, event, false, None);
    }
    Some(crashed(&machine, &from.history, events, crash, &from.steps))
}

fn crashed<E: Clone>(
    machine: &Machine,
    history: &History<E>,
    events: &[Event],
    crash: Crash,
    before: &[Step],
) -> Start<E> {
    let machine = match crash {
        Crash::Power(_) => machine.power_failure(),
        Crash::Kill(_) => machine.kill(),
    };
    let mut steps = before.to_vec();
    steps.push(Step { crash, place: Place::of(crash, events), path: Path::default(), forced: None });
    Start { machine, history: history.clone(), steps }
}
