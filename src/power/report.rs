//! [`Report`]: what an exploration found, and how much it tried.

use super::event::Event;
use super::failure::Failure;
use super::machine::{Machine, Model};
use super::size::Size;
use super::timeline;
use std::fmt;
use std::time::Duration;

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
    /// The first image that went wrong.
    pub(super) failure: Option<Failure>,
    /// Distinct states in which a crash was tried.
    pub(super) crash_points: usize,
    /// Images on which recovery and the check ran.
    pub(super) images: usize,
    /// The sizes of the recorded workload's power failures.
    pub(super) sizes: Vec<Size>,
    /// How many of the images were chosen at random.
    pub(super) sampled: usize,
    /// Crash points that were not tried, or not to the end.
    pub(super) left_out: usize,
    /// Whether some outcomes of a checksummed range were taken for one.
    pub(super) modulo_checksum: bool,
    /// How long it took.
    pub(super) time: Duration,
    /// Where the random numbers of sampling started.
    pub(super) seed: u64,
    /// Which values could survive.
    pub(super) model: Model,
    /// The events of the recorded workload.
    pub(super) events: Vec<Event>,
    /// Memory before the first of them.
    pub(super) base: Machine,
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
        timeline::draw(&self.base, &self.events, crash)
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
                let sampled = count(self.sampled, "image");
                write!(f, "not exhaustive ({sampled} sampled with seed {}", self.seed)?;
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
