//! [`Explorer`]: runs a workload once, and real recovery on every image that a crash could leave of it.

mod worker;

use super::choice::{Choices, Path};
use super::history::{History, Log, Verdict};
use super::machine::{Machine, Model, Open, Unit, WORD};
use super::recorder::{Event, EventKind, Exposed, Phase, Recorder, Settle, Site, Trace};
use super::report::{Crash, Failure, Place, Report, Size, Step};
use super::silence::{self, Problem};
use crate::error::{Error, Result};
use crate::observe::Origin;
use crate::observe::Rule;
use crate::persistent::Persistent;
use crate::region::{Region, create};
use std::collections::{HashMap, HashSet};
use std::num::NonZero;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(super) use worker::apply;
use worker::{Cursor, Worker, is_kill_point, start};

/// Whether this place is in the crate itself, and not in the program that is explored.
pub(super) fn is_ours(place: Origin) -> bool {
    let folder = file!().strip_suffix("power/explore.rs").expect("this file's name");
    place.file().starts_with(folder)
}

type Setup<R> = Box<dyn Fn(&mut Region<R, Recorder>) -> Result<()> + Send + Sync>;
type Workload<R, E> = Box<dyn Fn(&mut Region<R, Recorder>, &Log<E>) -> Result<()> + Send + Sync>;
type Check<R, E> = Box<dyn Fn(&R, &History<E>) -> Result<(), String> + Send + Sync>;

/// Explores the crash images of a workload; see the [module](super).
///
/// `R` is the root type, `E` what the workload notes of its progress.
///
/// ```
/// use indelible::Word;
/// use indelible::power::{Before, Explorer, History, Model};
/// use std::time::Duration;
///
/// let explorer = Explorer::new(
///     || Word::new(0),
///     |region, log| {
///         for n in 1..=2 {
///             log.begin(n);
///             region.transact(|tx, count| Ok(tx.store(count, n)))?;
///             log.acknowledge();
///         }
///         Ok(())
///     },
///     |count: &Word<u64>, history: &History<u64>| {
///         let least = history.acknowledged().last().copied().unwrap_or(0);
///         assert!(count.get() >= least, "{} after {least} was acknowledged", count.get());
///     },
/// )
/// // The region.
/// .len(1 << 20)
/// .journal_words(8)
/// .creation(Before::Rubbish) // it is made on a device that was used otherwise
/// // The machine.
/// .model(Model::X86) // a line's stores survive in their order
/// .file_system() // opening makes durable what is visible
/// // The crashes.
/// .depth(3)
/// .kills(false)
/// // The budget.
/// .max_images(100_000)
/// .max_time(Duration::from_secs(60))
/// .seed(7)
/// .threads(1)
/// .progress(false);
/// println!("{}", explorer.run().assert());
/// ```
pub struct Explorer<R: Persistent, E = ()> {
    root: Box<dyn Fn() -> R + Send + Sync>,
    setup: Option<Setup<R>>,
    workload: Workload<R, E>,
    check: Check<R, E>,
    then: Option<Workload<R, E>>,
    len: u64,
    journal_words: usize,
    model: Model,
    pub(super) settle: Settle,
    without: Option<Rule>,
    depth: usize,
    kills: bool,
    creation: Option<Before>,
    threads: usize,
    max_images: u64,
    max_time: Option<Duration>,
    seed: u64,
    progress: bool,
}

/// What is in memory before a region is made there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Zeros, as in a new file.
    Zeros,
    /// Anything, as on a device that was used otherwise.
    Rubbish,
}

/// The start of a run of recovery: what a crash left, and what had been said until then.
#[derive(Clone)]
struct Start<E> {
    machine: Machine,
    history: History<E>,
    /// How it came to this, for reports.
    steps: Vec<Step>,
}

/// What became of one image.
struct Run<E> {
    problem: Option<Problem>,
    undurable: Vec<Open>,
    decided: Vec<(Open, usize)>,
    events: Vec<Event>,
    history: History<E>,
    path: Path,
    modulo_checksum: bool,
}

/// The workload as it was recorded.
pub(super) struct Recording<E> {
    pub machine: Machine,
    pub events: Vec<Event>,
    notes: Vec<E>,
    /// What the workload's own commits published too early, whatever the images show.
    exposed: Option<Exposed>,
}

impl<E> Recording<E> {
    fn exposure(&self) -> Option<Failure> {
        let exposed = self.exposed.clone()?;
        let crash = Crash::Power(exposed.event);
        let count = |which: fn(EventKind) -> bool| {
            self.events[..exposed.event].iter().filter(|event| which(event.kind)).count()
        };
        Some(Failure {
            message: Exposed::MESSAGE.to_string(),
            found_at: None,
            steps: vec![Step {
                crash,
                place: Place::of(crash, &self.events),
                path: Path::default(),
                forced: None,
            }],
            lost: Vec::new(),
            survived: Vec::new(),
            undurable: exposed.open,
            acknowledged: count(|kind| matches!(kind, EventKind::Acknowledge(_))),
            begun: count(|kind| matches!(kind, EventKind::Begin(_))),
        })
    }
}

/// A flush or fence that is left out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mutation {
    /// Number of an event of the recorded workload.
    pub event: Option<usize>,
    /// A place in the source, in recovery and what follows it.
    pub site: Option<Site>,
}

/// What the workers of one exploration share.
struct Shared<'a, E> {
    next: AtomicUsize,
    /// The first crash, in their order, that went wrong.
    failed: AtomicUsize,
    images: AtomicUsize,
    points: AtomicUsize,
    sampled: AtomicUsize,
    /// Crash points that were left out, or cut short.
    left_out: AtomicUsize,
    modulo_checksum: AtomicBool,
    seen: Mutex<HashSet<u64>>,
    /// Flushes and fences in recovery and after it, and whether the program asked for them.
    sites: Mutex<HashSet<(Site, bool)>>,
    failures: Mutex<Vec<(usize, Failure)>>,
    sizes: Mutex<Vec<(usize, Size)>>,
    deadline: Option<Instant>,
    mutation: Mutation,
    recording: &'a Recording<E>,
    crashes: &'a [Crash],
}

/// Images of one crash that are tried when the budget is used up.
const SAMPLES: usize = 4;

impl<E> Shared<'_, E> {
    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() > deadline)
    }

    fn is_used_up<R: Persistent>(&self, explorer: &Explorer<R, E>) -> bool {
        self.images.load(Ordering::Relaxed) as u64 >= explorer.max_images
    }
}

impl<R: Persistent, E: Clone + Send + Sync + 'static> Explorer<R, E> {
    /// An explorer of regions whose root is first what `root` makes, durably.
    ///
    /// `workload` runs once, on a region that records; `check` runs on what recovery makes of each image, with
    /// what was begun and acknowledged before the crash. It fails by panicking (with `assert!` and the like)
    /// or by answering an `Err`. A workload whose functions have an error type of their own converts it, by
    /// `.map_err(indelible::Error::other)`.
    ///
    /// ```
    /// use indelible::Word;
    /// use indelible::power::{Explorer, History};
    ///
    /// let explorer = Explorer::new(
    ///     || Word::new(0), // the root at first
    ///     |region, log| {
    ///         log.begin(1);
    ///         region.transact(|tx, count| Ok(tx.store(count, 1)))?;
    ///         log.acknowledge();
    ///         Ok(())
    ///     },
    ///     |count: &Word<u64>, history: &History<u64>| match (history.acknowledged().len(), count.get()) {
    ///         (0, 0 | 1) | (1, 1) => Ok(()),
    ///         (acknowledged, found) => Err(format!("{found} after {acknowledged} acknowledgements")),
    ///     },
    /// );
    /// assert!(explorer.run().failure().is_none());
    /// ```
    pub fn new<V: Verdict>(
        root: impl Fn() -> R + Send + Sync + 'static,
        workload: impl Fn(&mut Region<R, Recorder>, &Log<E>) -> Result<()> + Send + Sync + 'static,
        check: impl Fn(&R, &History<E>) -> V + Send + Sync + 'static,
    ) -> Self {
        Explorer {
            root: Box::new(root),
            setup: None,
            workload: Box::new(workload),
            check: Box::new(move |root, history| check(root, history).verdict()),
            then: None,
            len: 0,
            journal_words: 32,
            model: Model::default(),
            settle: Settle::default(),
            without: None,
            depth: 2,
            kills: true,
            creation: None,
            threads: std::thread::available_parallelism().map_or(1, NonZero::get),
            max_images: 1 << 22,
            max_time: None,
            seed: 1,
            progress: true,
        }
    }

    /// Runs after each recovery, and crashes are explored in it too (while [`Explorer::depth`] allows): what a
    /// program does when it goes on.
    ///
    /// The program starts again, and counts on from what it finds:
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
    /// let explorer = explorer().then(|region, log| {
    ///     let found = region.root().get();
    ///     log.begin(found); // what an earlier crash interrupted is there, as it turns out
    ///     log.begin(found + 1);
    ///     region.transact(|tx, count| Ok(tx.store(count, found + 1)))?;
    ///     log.acknowledge();
    ///     Ok(())
    /// });
    /// assert!(explorer.run().assert().is_exhaustive());
    /// ```
    pub fn then(
        mut self,
        workload: impl Fn(&mut Region<R, Recorder>, &Log<E>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.then = Some(Box::new(workload));
        self
    }

    /// The region's length in bytes; just enough for a heap of 64 KiB by default. It may grow to 64 times that.
    pub fn len(mut self, bytes: u64) -> Self {
        self.len = bytes;
        self
    }

    /// Words that a transaction may change; 32 by default, which is less than a region's own default, because
    /// recovery reads the journal for every image.
    pub fn journal_words(mut self, words: usize) -> Self {
        self.journal_words = words;
        self
    }

    /// Which values survive; [`Model::Word8`] by default.
    ///
    /// ```
    /// # use indelible::{Word, power::{Explorer, History, Model}};
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
    /// for model in [Model::Word8, Model::X86, Model::Eadr] {
    ///     println!("{}", explorer().model(model).run().assert());
    /// }
    /// ```
    pub fn model(mut self, model: Model) -> Self {
        self.model = model;
        self
    }

    /// Opening makes durable what is visible, by `fsync`, as on a DAX file system. Without this it flushes
    /// what it reads, as on device DAX, which is the stricter test.
    pub fn file_system(mut self) -> Self {
        self.settle = Settle::Sync;
        self
    }

    /// How many crashes in a row, 2 by default: the second strikes recovery, or what [`Explorer::then`] does.
    pub fn depth(mut self, crashes: usize) -> Self {
        self.depth = crashes.max(1);
        self
    }

    /// Whether processes are killed too, before the power fails: after every store to what is published or
    /// recovery reads, and after each new object is written. `true` by default.
    pub fn kills(mut self, kills: bool) -> Self {
        self.kills = kills;
        self
    }

    /// Explores the making of the region too, on memory that held something before. A crash may then leave no
    /// region at all, as long as the workload has not begun.
    ///
    /// ```
    /// # use indelible::{Word, power::{Before, Explorer, History}};
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
    /// let _ = explorer().creation(Before::Zeros).run().assert(); // as in a new file
    /// ```
    pub fn creation(mut self, before: Before) -> Self {
        self.creation = Some(before);
        self
    }

    /// What happens to the region before the story begins, and is durable then: nothing crashes there, and none of
    /// its flushes is left out. For workloads on large structures, whose making would take all the time.
    #[doc(hidden)]
    pub fn after(
        mut self,
        setup: impl Fn(&mut Region<R, Recorder>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.setup = Some(Box::new(setup));
        self
    }

    /// Breaks a rule of the commit protocol, to see that it is missed.
    #[doc(hidden)]
    pub fn without(mut self, rule: Rule) -> Self {
        self.without = Some(rule);
        self
    }

    /// Threads; as many as there are CPUs by default.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// After so many images the rest is sampled: a few images of each crash of the workload, and no crashes
    /// inside recovery. The report says so. Four million by default.
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
    /// let report = explorer().max_images(10).seed(7).run().assert();
    /// assert!(!report.is_exhaustive());
    /// println!("{report}"); // … not exhaustive (… images sampled with seed 7, …)
    /// ```
    pub fn max_images(mut self, images: u64) -> Self {
        self.max_images = images;
        self
    }

    /// After so long the rest is left out, and the report says so.
    pub fn max_time(mut self, time: Duration) -> Self {
        self.max_time = Some(time);
        self
    }

    /// Where sampling starts.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Whether a terminal sees the progress of a long run; `true` by default.
    pub fn progress(mut self, progress: bool) -> Self {
        self.progress = progress;
        self
    }

    /// Runs the workload and explores its crash images, until all are tried or one fails.
    ///
    /// # Panics
    ///
    /// If the workload itself answers an error: nothing is known then.
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
    /// let report = explorer().run();
    /// assert!(report.is_exhaustive(), "{report}");
    /// ```
    pub fn run(&self) -> Report {
        let recording = self.record();
        self.explore(&recording, Mutation::default(), self.progress).0
    }

    /// The trace of the workload.
    ///
    /// # Panics
    ///
    /// As for [`Explorer::run`].
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
    /// // What a change of the workload costs can be seen before anything is explored.
    /// let trace = explorer().trace();
    /// println!("{} fences, {} lines flushed", trace.fences(), trace.flushed_lines());
    /// ```
    pub fn trace(&self) -> Trace {
        Trace { events: self.record().events }
    }

    /// Runs one image again, as a failure's report names it; `None` where nothing goes wrong.
    ///
    /// # Panics
    ///
    /// If `seed` is not of the form that reports print, and as for [`Explorer::run`].
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
    /// let seed = explorer().run().failure().expect("two transactions for what belongs together").seed();
    /// // Later, in a debugger, or when it should be mended:
    /// let again = explorer().replay(&seed).expect("it is still wrong");
    /// assert!(again.message().contains("one without the other"));
    /// ```
    pub fn replay(&self, seed: &str) -> Option<Failure> {
        let recording = self.record();
        let crashes = self.crashes(&recording.events);
        let mut cursor = Cursor::new(self, &recording, Mutation::default());
        let mut worker = Worker::new(self, Mutation::default());
        let mut start: Option<Start<E>> = None;
        let mut last = None;
        for step in seed.split('/') {
            let step: Step = step.parse().expect("the seed of a report");
            let from = match (&start, &last) {
                (Some(start), Some(run)) => self.cut(start, run, step.crash)?,
                _ if crashes.contains(&step.crash) => cursor.start(step.crash),
                _ => return recording.exposure().filter(|failure| failure.seed() == seed),
            };
            let forced = step.forced.map(|units| units.into_iter().collect());
            last = Some(worker.run(&from, Choices::along(&step.path), forced, true));
            start = Some(from);
        }
        let (start, run) = (start?, last?);
        run.problem.is_some().then(|| self.failure(&mut worker, &start, run))
    }

    /// Runs the workload on a recorder.
    pub(super) fn record(&self) -> Recording<E> {
        let (layout, text) = create::plan::<R>(self.journal_words, 0x1de1_1b1e);
        let len = (self.len as usize).max(layout.min_len() + (64 << 10)).next_multiple_of(4096);
        let recorder = Recorder::zeroed(len, len * 64).expect("address space for a small region");
        recorder.state().machine = Machine::new(self.model, Arc::new(vec![0; len / WORD]));
        recorder.state().without = self.without;
        if self.creation == Some(Before::Rubbish) {
            let rubbish = |word: usize| (word as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let words: Vec<u64> = (0..len / WORD).map(rubbish).collect();
            words.iter().enumerate().for_each(|(word, &value)| recorder.raw_store(word, value));
            recorder.state().machine = Machine::new(self.model, Arc::new(words));
        }
        let mut machine = recorder.state().machine.clone();
        let engine = create::build(&recorder, layout, &text, (self.root)(), Location::caller())
            .expect("a recorder does not fail");
        let mut region = Region::new_parts(recorder.clone(), engine, false);
        if let Some(setup) = &self.setup {
            assert!(self.creation.is_none(), "`after` and `creation` are different beginnings");
            setup(&mut region)
                .unwrap_or_else(|error| panic!("the set-up must succeed, and answered: {error}"));
        }
        if self.creation.is_none() {
            // The region is there, durably: that is where the story begins.
            let mut state = recorder.state();
            let words: Vec<u64> =
                (0..state.machine.len() / WORD).map(|word| state.machine.visible(word)).collect();
            machine = Machine::new(self.model, Arc::new(words));
            state.machine = machine.clone();
            state.events.clear();
            state.exposed = None;
        }
        let log = Log::new(recorder.clone(), History::default());
        let here = Location::caller();
        recorder.note(EventKind::Phase(Phase::Open), here);
        if let Err(error) = (self.workload)(&mut region, &log) {
            let hint = match error {
                Error::JournalFull { .. } => " (here with `Explorer::journal_words`)",
                _ => "",
            };
            panic!("the workload must succeed where nothing fails, and answered: {error}{hint}");
        }
        recorder.note(EventKind::Phase(Phase::Between), here);
        region.close().expect("a recorder does not fail");
        recorder.note(EventKind::Phase(Phase::Closed), here);
        let (events, exposed) = {
            let mut state = recorder.state();
            (std::mem::take(&mut state.events), state.exposed.take())
        };
        Recording { machine, events, notes: log.into_notes(), exposed }
    }

    /// Explores; also the places of flushes and fences that were met in recovery.
    pub(super) fn explore(
        &self,
        recording: &Recording<E>,
        mutation: Mutation,
        progress: bool,
    ) -> (Report, HashSet<(Site, bool)>) {
        let began = Instant::now();
        let mut crashes = self.crashes(&recording.events);
        if let Some(left_out) = mutation.event {
            // Those before are the unbroken workload's, which was explored.
            crashes.retain(|crash| crash.event() > left_out);
        }
        let shared = Shared {
            next: AtomicUsize::new(0),
            failed: AtomicUsize::new(usize::MAX),
            images: AtomicUsize::new(0),
            points: AtomicUsize::new(0),
            sampled: AtomicUsize::new(0),
            left_out: AtomicUsize::new(0),
            modulo_checksum: AtomicBool::new(false),
            seen: Mutex::default(),
            sites: Mutex::default(),
            failures: Mutex::default(),
            sizes: Mutex::default(),
            deadline: self.max_time.map(|time| began + time),
            mutation,
            recording,
            crashes: &crashes,
        };
        silence::install();
        std::thread::scope(|scope| {
            let workers: Vec<_> =
                (0..self.threads.min(crashes.len())).map(|_| scope.spawn(|| self.work(&shared))).collect();
            if progress {
                super::report::show_progress(
                    || workers.iter().all(|worker| worker.is_finished()),
                    || {
                        (
                            shared.next.load(Ordering::Relaxed).min(crashes.len()),
                            crashes.len(),
                            shared.images.load(Ordering::Relaxed),
                        )
                    },
                );
            }
        });
        let mut failures = shared.failures.into_inner().unwrap_or_else(PoisonError::into_inner);
        failures.sort_by_key(|(index, _)| *index);
        let mut sizes = shared.sizes.into_inner().unwrap_or_else(PoisonError::into_inner);
        sizes.sort_by_key(|(index, _)| *index);
        // An image makes the plainer story, where there is one.
        let failure = failures.into_iter().next().map(|(_, failure)| failure);
        let report = Report {
            failure: failure.or_else(|| recording.exposure()),
            crash_points: shared.points.into_inner(),
            images: shared.images.into_inner(),
            sizes: sizes.into_iter().map(|(_, size)| size).collect(),
            sampled: shared.sampled.into_inner(),
            left_out: shared.left_out.into_inner(),
            modulo_checksum: shared.modulo_checksum.into_inner(),
            time: began.elapsed(),
            seed: self.seed,
            model: self.model,
            events: recording.events.clone(),
            base: recording.machine.clone(),
        };
        (report, shared.sites.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every crash of the recorded workload, in the order in which they are explored.
    fn crashes(&self, events: &[Event]) -> Vec<Crash> {
        let mut crashes = Vec::new();
        let mut kills = Vec::new();
        for (index, event) in events.iter().enumerate() {
            match event.kind {
                EventKind::Fence => crashes.push(Crash::Power(index)),
                EventKind::Acknowledge(_) => crashes.push(Crash::Power(index + 1)),
                _ if self.kills && self.depth > 1 && is_kill_point(events, index) => {
                    kills.push(Crash::Kill(index + 1));
                }
                _ => {}
            }
        }
        crashes.push(Crash::Power(events.len()));
        // A power failure makes the plainer story, where there is one.
        crashes.append(&mut kills);
        crashes
    }

    /// The state at a crash inside an earlier run.
    fn cut(&self, from: &Start<E>, run: &Run<E>, crash: Crash) -> Option<Start<E>> {
        let mut machine = from.machine.clone();
        let mut history = from.history.clone();
        for event in run.events.get(..crash.event())? {
            apply(&mut machine, event, false, None);
            history.apply(event, run.history.begun(), 0);
        }
        let mut steps = from.steps.clone();
        if let Some(step) = steps.last_mut() {
            step.path = run.path.clone();
        }
        Some(start(&machine, &history, &run.events, crash, &steps))
    }

    fn work(&self, shared: &Shared<'_, E>) {
        let mut worker = Worker::new(self, shared.mutation);
        let mut cursor = Cursor::new(self, shared.recording, shared.mutation);
        loop {
            let index = shared.next.fetch_add(1, Ordering::Relaxed);
            let Some(&crash) = shared.crashes.get(index) else { return };
            if shared.failed.load(Ordering::Relaxed) <= index {
                return;
            }
            if shared.is_late() {
                shared.left_out.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            worker.explore(&cursor.start(crash), 1, index, shared);
        }
    }

    /// Finds the shortest story for a failing image.
    fn failure(&self, worker: &mut Worker<'_, R, E>, start: &Start<E>, run: Run<E>) -> Failure {
        let fails = |worker: &mut Worker<'_, R, E>, forced: &HashMap<Unit, usize>| {
            let run = worker.run(start, Choices::default(), Some(forced.clone()), true);
            run.problem.is_some().then_some(run)
        };
        let newest = |open: &Open| open.values.len() - 1;
        let mut forced: HashMap<Unit, usize> =
            run.decided.iter().map(|(open, index)| (open.unit, *index)).collect();
        let mut best = match fails(worker, &forced) {
            Some(best) => best,
            None => run,
        };
        // Stores that were lost: give back each that is not needed for the failure.
        let mut changed = true;
        while changed {
            changed = false;
            for (open, index) in best.decided.clone() {
                if index == newest(&open) {
                    continue;
                }
                let mut fewer = forced.clone();
                fewer.insert(open.unit, newest(&open));
                if let Some(run) = fails(worker, &fewer) {
                    (forced, best, changed) = (fewer, run, true);
                    break;
                }
            }
        }
        // Stores that survived without being durable: name those without which nothing would be wrong.
        let survived: Vec<Open> = best
            .decided
            .clone()
            .into_iter()
            .filter(|(open, index)| *index == newest(open))
            .filter(|(open, _)| {
                let mut without = forced.clone();
                without.insert(open.unit, 0);
                fails(worker, &without).is_none()
            })
            .map(|(open, _)| open)
            .collect();
        let mut steps = start.steps.clone();
        if let Some(step) = steps.last_mut() {
            let older = best.decided.iter().filter(|(open, index)| *index != newest(open));
            step.forced = Some(older.map(|(open, index)| (open.unit, *index)).collect());
        }
        let problem = best.problem.unwrap_or_else(|| Problem::from(String::new()));
        Failure {
            message: problem.message,
            found_at: problem.found_at,
            steps,
            lost: best.decided.into_iter().filter(|(open, index)| *index != newest(open)).collect(),
            survived,
            undurable: best.undurable,
            acknowledged: start.history.acknowledged().len(),
            begun: start.history.begun().len(),
        }
    }
}
