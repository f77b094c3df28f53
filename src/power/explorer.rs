//! [`Explorer`]: the crash images of a workload on a region, with the crate's own recovery on each.

use super::event::{EventKind, Phase};
use super::failure::Failure;
use super::history::History;
use super::log::Log;
use super::machine::{Machine, Model};
use super::mutants::Mutants;
use super::mutation::Mutation;
use super::recorder::Recorder;
use super::recording::Recording;
use super::replay::replay;
use super::report::Report;
use super::run::{Image, Subject};
use super::search::search;
use super::settings::{Opening, Settings};
use super::start::Start;
use super::trace::Trace;
use super::unit::WORD;
use super::verdict::Verdict;
use crate::error::{Error, Result};
use crate::format::layout::Layout;
use crate::medium::MediumImpl;
use crate::observe::Rule;
use crate::options::Options;
use crate::persistent::Persistent;
use crate::region::{Region, create, recover};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

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
    /// What the root is at first.
    root: Box<dyn Fn() -> R + Send + Sync>,
    /// What happens before the story begins.
    setup: Option<Setup<R>>,
    workload: Workload<R, E>,
    check: Check<R, E>,
    /// What the program does after recovery.
    then: Option<Workload<R, E>>,
    /// The region's length in bytes, at least.
    len: u64,
    /// Words that a transaction may change.
    journal_words: usize,
    /// What is in memory before the region is made; `None` if its making is not explored.
    creation: Option<Before>,
    settings: Settings,
}

/// What is in memory before a region is made there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Zeros, as in a new file.
    Zeros,
    /// Anything, as on a device that was used otherwise.
    Rubbish,
}

impl<R: Persistent, E: Clone + Send + Sync + 'static> Explorer<R, E> {
    /// An explorer of regions whose root is first what `root` makes, durably.
    ///
    /// `workload` runs once, on a region that records; `check` runs on what recovery makes of each image, with
    /// what was begun and acknowledged before the crash. It fails by panicking (with `assert!` and the like)
    /// or by returning an `Err`. A workload whose functions have an error type of their own converts it, by
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
            creation: None,
            settings: Settings::default(),
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
        self.settings.model = model;
        self
    }

    /// Opening makes durable what is visible, by `fsync`, as on a DAX file system. Without this it flushes
    /// what it reads, as on device DAX, which is the stricter test.
    pub fn file_system(mut self) -> Self {
        self.settings.opening = Opening::Syncs;
        self
    }

    /// How many crashes in a row, 2 by default: the second strikes recovery, or what [`Explorer::then`] does.
    pub fn depth(mut self, crashes: usize) -> Self {
        self.settings.depth = crashes.max(1);
        self
    }

    /// Whether processes are killed too, before the power fails: after every store to what is published or
    /// recovery reads, and after each new object is written. `true` by default.
    pub fn kills(mut self, kills: bool) -> Self {
        self.settings.kills = kills;
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
        self.settings.without = Some(rule);
        self
    }

    /// Threads; as many as there are CPUs by default.
    pub fn threads(mut self, threads: usize) -> Self {
        self.settings.threads = threads.max(1);
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
        self.settings.max_images = images;
        self
    }

    /// After so long the rest is left out, and the report says so.
    pub fn max_time(mut self, time: Duration) -> Self {
        self.settings.max_time = Some(time);
        self
    }

    /// Where sampling starts.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// Whether a terminal sees the progress of a long run; `true` by default.
    pub fn progress(mut self, progress: bool) -> Self {
        self.settings.progress = progress;
        self
    }

    /// Runs the workload and explores its crash images, until all are tried or one fails.
    ///
    /// # Panics
    ///
    /// If the workload itself returns an error: nothing is known then.
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
        search(self, &self.record(), Mutation::default()).0
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
        replay(self, seed)
    }

    /// Leaves out each flush and each fence of the recorded workload in turn, then each place in recovery (and
    /// in what [`Explorer::then`] does), and explores again.
    ///
    /// # Panics
    ///
    /// If the workload fails with nothing left out.
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
    /// println!("{}", explorer().mutants()); // so many left out one by one, so many noticed
    /// ```
    pub fn mutants(&self) -> Mutants {
        Mutants::of(self)
    }

    /// Memory before the region is made.
    fn memory(&self, layout: &Layout) -> Recorder {
        let len = (self.len as usize).max(layout.min_len() + (64 << 10)).next_multiple_of(4096);
        let recorder = Recorder::zeroed(len, len * 64).expect("address space for a small region");
        let mut words = vec![0; len / WORD];
        if self.creation == Some(Before::Rubbish) {
            for (at, word) in words.iter_mut().enumerate() {
                *word = (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                recorder.raw_store(at, *word);
            }
        }
        {
            let mut state = recorder.state();
            state.machine = Machine::new(self.settings.model, Arc::new(words));
            state.without = self.settings.without;
        }
        recorder
    }

    /// A new region, in which nothing has happened yet but the set-up; and what was in memory where the story
    /// begins.
    fn begin(&self) -> (Region<R, Recorder>, Machine) {
        let (layout, text) =
            create::plan::<R>(self.journal_words, 0x1de1_1b1e).expect("a description that fits");
        let recorder = self.memory(&layout);
        let before = recorder.state().machine.clone();
        let engine = create::build(&recorder, layout, &text, (self.root)(), Location::caller())
            .expect("a recorder does not fail");
        let mut region = Region::new_parts(recorder.clone(), engine, false);
        if let Some(setup) = &self.setup {
            assert!(self.creation.is_none(), "`after` and `creation` are different beginnings");
            setup(&mut region)
                .unwrap_or_else(|error| panic!("the set-up must succeed, and returned: {error}"));
        }
        if self.creation.is_some() {
            return (region, before);
        }
        // The region is there, durably: the story begins here.
        let machine = recorder.forget(self.settings.model);
        (region, machine)
    }
}

impl<R: Persistent, E: Clone + Send + Sync + 'static> Subject for Explorer<R, E> {
    type Entry = E;

    const NAME: &str = "region";

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn record(&self) -> Recording<E> {
        let (mut region, machine) = self.begin();
        let recorder = region.medium().clone();
        let log = Log::new(recorder.clone(), History::default());
        let here = Location::caller();
        recorder.note(EventKind::Phase(Phase::Open), here);
        if let Err(error) = (self.workload)(&mut region, &log) {
            let hint = match error {
                Error::JournalFull { .. } => " (here with `Explorer::journal_words`)",
                _ => "",
            };
            panic!("the workload must succeed where nothing fails, and returned: {error}{hint}");
        }
        recorder.note(EventKind::Phase(Phase::Between), here);
        region.close().expect("a recorder does not fail");
        recorder.note(EventKind::Phase(Phase::Closed), here);
        let phase = if self.creation.is_some() { Phase::Absent } else { Phase::Open };
        Recording::of(Self::NAME, Start::of_workload(machine, phase), &recorder, &log)
    }

    fn recover(&self, image: &Image<'_, E>) -> Result<(), String> {
        let (recorder, phase, here) = (image.recorder, image.history.phase(), Location::caller());
        if phase != Phase::Absent {
            recorder.note(EventKind::Phase(Phase::Between), here);
        }
        let len = recorder.map().len() as u64;
        let opened = recover::recover::<R, Recorder>(recorder, len, &Options::new(), here);
        let (engine, recovered) = match opened {
            Ok(opened) => opened,
            Err(_) if phase == Phase::Absent => return Ok(()),
            Err(error) => return Err(format!("recovery refused the region: {error}")),
        };
        match phase {
            Phase::Open if !recovered => {
                return Err("the region was open, and looks as if it had been closed".to_string());
            }
            Phase::Closed if recovered => {
                return Err("the region was closed, and looks as if it had not been".to_string());
            }
            _ => recorder.note(EventKind::Phase(Phase::Open), here),
        }
        let mut region = Region::new_parts(recorder.clone(), engine, recovered);
        let result = self.go_on(&mut region, image);
        region.abandon();
        result
    }
}

impl<R: Persistent, E: Clone> Explorer<R, E> {
    /// The check on what recovery made; then what follows, and the check again.
    fn go_on(&self, region: &mut Region<R, Recorder>, image: &Image<'_, E>) -> Result<(), String> {
        (self.check)(region.root(), image.history)?;
        if let (Some(then), true) = (&self.then, image.go_on) {
            then(region, image.log).map_err(|error| format!("what follows recovery failed: {error}"))?;
            (self.check)(region.root(), &image.log.history())
                .map_err(|problem| format!("after what follows recovery: {problem}"))?;
        }
        Ok(())
    }
}
