//! [`MappingExplorer`]: the crash images of a [`Mapping`], with the program's own recovery on each.
//!
//! A raw format is read through plain bytes, and so nothing can be decided lazily as in a region: every unit that
//! a crash leaves open is decided before the format's own recovery sees a byte. The number of images of a crash is
//! the product of the numbers of values of *all* units then open, so keep a workload's writes between two fences
//! small, or the report says how much was sampled.

use super::event::{EventKind, Phase};
use super::failure::Failure;
use super::history::History;
use super::log::Log;
use super::machine::Model;
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
use super::verdict::Verdict;
use crate::error::Result;
use crate::mapping::{Mapping, open};
use crate::observe::Observe;
use std::panic::Location;
use std::time::Duration;

type First = Box<dyn Fn(&mut Mapping<Recorder>) -> Result<()> + Send + Sync>;
type Workload<E> = Box<dyn Fn(&mut Mapping<Recorder>, &Log<E>) -> Result<()> + Send + Sync>;
type Check<E> = Box<dyn Fn(&mut Mapping<Recorder>, &History<E>) -> Result<(), String> + Send + Sync>;

/// Explores the crash images of a workload on a [`Mapping`]: what [`Explorer`](super::Explorer) is to a region.
///
/// ```
/// use indelible::mapping::Mapping;
/// use indelible::power::{History, MappingExplorer, Model};
/// use std::time::Duration;
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
///
/// // The machine, the crashes and the budget are set as those of a region's explorer.
/// let explorer = explorer
///     .model(Model::X86)
///     .file_system()
///     .depth(2)
///     .kills(true)
///     .max_images(100_000)
///     .max_time(Duration::from_secs(60))
///     .threads(1)
///     .progress(false);
/// println!("{}", explorer.run().assert());
/// ```
pub struct MappingExplorer<E = ()> {
    /// The mapping's length in bytes.
    len: usize,
    /// Writes what is there at first.
    first: First,
    workload: Workload<E>,
    check: Check<E>,
    /// What the program does after recovery.
    then: Option<Workload<E>>,
    settings: Settings,
}

impl<E: Clone + Send + Sync + 'static> MappingExplorer<E> {
    /// An explorer of mappings of `len` bytes, whole pages, that durably hold at first what `first` writes.
    ///
    /// `workload` runs once. `check` runs on every image, opened as [`Mapping::open`] opens a file: it does what
    /// the program does first, its recovery included, and fails by panicking or by returning an `Err`.
    pub fn new<V: Verdict>(
        len: usize,
        first: impl Fn(&mut Mapping<Recorder>) -> Result<()> + Send + Sync + 'static,
        workload: impl Fn(&mut Mapping<Recorder>, &Log<E>) -> Result<()> + Send + Sync + 'static,
        check: impl Fn(&mut Mapping<Recorder>, &History<E>) -> V + Send + Sync + 'static,
    ) -> Self {
        MappingExplorer {
            len,
            first: Box::new(first),
            workload: Box::new(workload),
            check: Box::new(move |mapping, history| check(mapping, history).verdict()),
            then: None,
            // Fewer than for a region: a crash may have any number of images here, and what is beyond the first
            // million is better sampled.
            settings: Settings { max_images: 1 << 20, ..Settings::default() },
        }
    }

    /// Runs after each recovery, and crashes are explored in it too (while [`MappingExplorer::depth`] allows): what
    /// a program does when it goes on. Then `check` looks again, at the same mapping.
    ///
    /// ```
    /// # use indelible::{mapping::Mapping, power::{History, MappingExplorer}};
    /// // A counter. The program starts again, and counts on from what it finds.
    /// fn count(mapping: &Mapping<indelible::power::Recorder>) -> u64 {
    ///     u64::from_le_bytes(mapping.bytes()[..8].try_into().unwrap())
    /// }
    ///
    /// let explorer = MappingExplorer::new(
    ///     4096,
    ///     |_| Ok(()),
    ///     |mapping, log| {
    ///         log.begin(1);
    ///         mapping.part(0..8)?.store(1).fence()?;
    ///         log.acknowledge();
    ///         Ok(())
    ///     },
    ///     |mapping, history: &History<u64>| {
    ///         let least = history.acknowledged().last().copied().unwrap_or(0);
    ///         assert!(count(mapping) >= least, "{least} was acknowledged");
    ///     },
    /// )
    /// .then(|mapping, log| {
    ///     let found = count(mapping);
    ///     log.begin(found); // what an earlier crash interrupted is there, as it turns out
    ///     log.begin(found + 1);
    ///     mapping.part(0..8)?.store(found + 1).fence()?;
    ///     log.acknowledge();
    ///     Ok(())
    /// });
    /// assert!(explorer.run().assert().is_exhaustive());
    /// ```
    pub fn then(
        mut self,
        workload: impl Fn(&mut Mapping<Recorder>, &Log<E>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.then = Some(Box::new(workload));
        self
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
        self.settings.model = model;
        self
    }

    /// How many crashes in a row, 2 by default: the second strikes recovery, in `check`, or what
    /// [`MappingExplorer::then`] does.
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
        self.settings.depth = crashes.max(1);
        self
    }

    /// Whether processes are killed too, before the power fails: after every store, where several that nothing reads
    /// yet count as one. `true` by default.
    pub fn kills(mut self, kills: bool) -> Self {
        self.settings.kills = kills;
        self
    }

    /// Opening makes durable what is visible, by `fsync`, as on a DAX file system. Without this it flushes every
    /// line, as on device DAX.
    pub fn file_system(mut self) -> Self {
        self.settings.opening = Opening::Syncs;
        self
    }

    /// Threads; as many as there are CPUs by default.
    pub fn threads(mut self, threads: usize) -> Self {
        self.settings.threads = threads.max(1);
        self
    }

    /// After so many images the rest is sampled: a few images of each crash of the workload, and no crashes inside
    /// recovery. The report says so. A million by default.
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
        self.settings.max_images = images;
        self
    }

    /// After so long the rest is left out, and the report says so.
    pub fn max_time(mut self, time: Duration) -> Self {
        self.settings.max_time = Some(time);
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
        self.settings.seed = seed;
        self
    }

    /// Whether a terminal sees the progress of a long run; `true` by default.
    pub fn progress(mut self, progress: bool) -> Self {
        self.settings.progress = progress;
        self
    }

    /// Runs the workload and explores its crash images, until all are tried or one fails: power failures before
    /// every fence, after every acknowledgement and at the end; kills after every store, with power failures in
    /// the recovery from them.
    ///
    /// # Panics
    ///
    /// If `first` or the workload itself returns an error.
    pub fn run(&self) -> Report {
        search(self, &self.record(), Mutation::default()).0
    }

    /// The trace of the workload.
    ///
    /// # Panics
    ///
    /// As for [`MappingExplorer::run`].
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
    /// assert_eq!(explorer().trace().fences(), 2); // seen before anything is explored
    /// ```
    pub fn trace(&self) -> Trace {
        Trace { events: self.record().events }
    }

    /// Leaves out each flush and each fence of the recorded workload in turn, then each place in recovery (in the
    /// check, and in what [`MappingExplorer::then`] does), and explores again.
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
        Mutants::of(self)
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
        replay(self, seed)
    }
}

impl<E: Clone + Send + Sync + 'static> Subject for MappingExplorer<E> {
    type Entry = E;

    const NAME: &str = "mapping";

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn record(&self) -> Recording<E> {
        let recorder = Recorder::zeroed(self.len, self.len).expect("a length of whole pages");
        let mut mapping = Mapping::on(recorder.clone());
        (self.first)(&mut mapping).expect("what is there first must be written where nothing fails");
        see_dropped(&mut mapping);
        // That is there, durably: the story begins here.
        let machine = recorder.forget(self.settings.model);
        let log = Log::new(recorder.clone(), History::default());
        (self.workload)(&mut mapping, &log).expect("the workload must succeed where nothing fails");
        see_dropped(&mut mapping);
        Recording::of(Self::NAME, Start::of_workload(machine, Phase::Open), &recorder, &log)
    }

    fn recover(&self, image: &Image<'_, E>) -> Result<(), String> {
        let (recorder, here) = (image.recorder, Location::caller());
        // The format reads plain bytes, so all of them are decided before it sees one.
        recorder.announce(0, self.len);
        open::settle(recorder, here).map_err(|error| error.to_string())?;
        let mut mapping = Mapping::on(recorder.clone());
        (self.check)(&mut mapping, image.history)?;
        see_dropped(&mut mapping);
        if let (Some(then), true) = (&self.then, image.go_on) {
            recorder.note(EventKind::Phase(Phase::Open), here);
            then(&mut mapping, image.log)
                .map_err(|error| format!("what follows recovery failed: {error}"))?;
            see_dropped(&mut mapping);
            (self.check)(&mut mapping, &image.log.history())
                .map_err(|problem| format!("after what follows recovery: {problem}"))?;
            see_dropped(&mut mapping);
        }
        Ok(())
    }
}

/// Lets the recorder see what was written and dropped without a flush.
fn see_dropped(mapping: &mut Mapping<Recorder>) {
    let _ = mapping.parts([]).expect("a recorder does not fail");
}
