//! [`Settings`]: what is explored of a workload, and how much of it. Plain data; the builders of the explorers fill it
//! in.

use super::machine::Model;
use crate::observe::Rule;
use std::num::NonZero;
use std::thread;
use std::time::Duration;

/// How a workload is explored, whether it runs on a region or on a mapping.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Which values a power failure may leave.
    pub model: Model,
    /// What opening does about visible stores.
    pub opening: Opening,
    /// A rule of the commit protocol that is broken.
    pub without: Option<Rule>,
    /// How many crashes in a row.
    pub depth: usize,
    /// Whether processes are killed too.
    pub kills: bool,
    /// Threads that explore.
    pub threads: usize,
    /// After so many images the rest is sampled.
    pub max_images: u64,
    /// After so long the rest is left out.
    pub max_time: Option<Duration>,
    /// Where the random numbers of sampling start.
    pub seed: u64,
    /// Whether a terminal sees the progress.
    pub progress: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            model: Model::default(),
            opening: Opening::default(),
            without: None,
            depth: 2,
            kills: true,
            threads: thread::available_parallelism().map_or(1, NonZero::get),
            max_images: 1 << 22,
            max_time: None,
            seed: 1,
            progress: true,
        }
    }
}

/// What opening does about stores that an earlier process left visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Opening {
    /// It flushes what it reads, as on device DAX.
    #[default]
    Flushes,
    /// It calls `fsync`, as on a file system.
    Syncs,
}
