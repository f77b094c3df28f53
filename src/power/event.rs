//! [`Event`]: what a recorder notes of a run, and what it does to memory.

use super::machine::Machine;
use crate::observe::Origin;
use std::path::Path;
use std::sync::LazyLock;

/// One event of a trace.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Number of the thread, in the order of appearance.
    pub thread: u32,
    /// The line of the program that caused it.
    pub origin: Origin,
    /// The line that did it: of this crate, or the program's own where a verb was called for it.
    pub site: Origin,
}

impl Event {
    /// What it does to memory; `muted` if it is a flush or fence that is left out.
    pub(super) fn apply(&self, machine: &mut Machine, muted: bool) {
        match self.kind {
            EventKind::Store { word, value } => machine.store(word, value, self.origin),
            EventKind::Stream { word, value } => machine.stream(self.thread, word, value, self.origin),
            EventKind::Flush { line } if !muted => machine.flush(self.thread, line),
            EventKind::Fence if !muted => machine.fence(self.thread),
            EventKind::Grow { len } => machine.grow(len),
            EventKind::Sync => machine.sync(),
            EventKind::Phase(Phase::Closed) => machine.unsafe_shutdown(),
            EventKind::Decide { word, value } => {
                if let Some(open) = machine.undecided(word) {
                    machine.decide(&open, value);
                }
            }
            _ => {}
        }
    }

    /// Whether the program asked for it with a verb. Otherwise the engine made it, for a line of the program or for
    /// none.
    pub(super) fn is_explicit(&self) -> bool {
        self.origin == self.site && !is_ours(self.origin)
    }

    /// Whether it is a store.
    pub(super) fn is_store(&self) -> bool {
        matches!(self.kind, EventKind::Store { .. } | EventKind::Stream { .. })
    }

    /// Whether it is a store to an object, or to bytes of a mapping, that nothing reads yet: the program wrote it
    /// through `&mut`, or it was streamed there.
    pub(super) fn is_in_new_object(&self) -> bool {
        match self.kind {
            EventKind::Store { .. } => self.origin == self.site,
            EventKind::Stream { .. } => true,
            _ => false,
        }
    }

    /// Whether it is the fence with which a commit of the program ends.
    pub(super) fn is_commits_fence(&self) -> bool {
        self.kind == EventKind::Fence && is_ours(self.site) && !is_ours(self.origin)
    }

    /// The line of the program that caused it; `None` where the program has no part in it.
    pub(super) fn line_of_program(&self) -> Option<Origin> {
        (!is_ours(self.origin)).then_some(self.origin)
    }
}

/// The folder of this crate's sources, as the compiler names it; `None` if no folder above this file is called `src`.
static SOURCES: LazyLock<Option<&str>> = LazyLock::new(|| sources(file!()));

/// Whether this place is in the crate itself, and not in the program that is explored.
fn is_ours(place: Origin) -> bool {
    SOURCES.is_some_and(|folder| Path::new(place.file()).starts_with(folder))
}

/// The innermost folder above `file` that is called `src`.
fn sources(file: &str) -> Option<&str> {
    Path::new(file).ancestors().find(|folder| folder.ends_with("src"))?.to_str()
}

/// What happened; words and lines are numbered from the region's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A word was stored.
    Store {
        /// Index of the word.
        word: usize,
        /// Its new value.
        value: u64,
    },
    /// A word was stored past the cache.
    Stream {
        /// Index of the word.
        word: usize,
        /// Its new value.
        value: u64,
    },
    /// A line was flushed.
    Flush {
        /// Index of the line.
        line: usize,
    },
    /// A fence.
    Fence,
    /// The region grew.
    Grow {
        /// To so many bytes.
        len: usize,
    },
    /// Everything visible became durable (`fsync` at open).
    Sync,
    /// The region was made, opened, or closed.
    Phase(Phase),
    /// The workload said that it begins something, by its number.
    Begin(usize),
    /// The workload acknowledged something, by its number.
    Acknowledge(usize),
    /// It was decided what an earlier crash had left.
    Decide {
        /// Index of the unit's first word.
        word: usize,
        /// Number of the value, oldest first.
        value: usize,
    },
}

/// Where a region is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Nothing is there yet.
    Absent,
    /// It was made or opened.
    Open,
    /// It is being opened or closed.
    Between,
    /// It was closed.
    Closed,
}

impl EventKind {
    /// What it is called in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
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
}

#[cfg(test)]
mod tests {
    use super::{is_ours, sources};
    use std::panic::Location;
    use std::path::Path;

    /// Files of this folder can be renamed and moved: the name of none matters.
    #[test]
    fn the_crates_folder_is_found_from_any_file_in_it() {
        for file in ["src/power/event.rs", "src/power/renamed.rs", "src/power/deep/er/mod.rs", "src/lib.rs"] {
            assert_eq!(sources(file), Some("src"), "{file}");
        }
        let registry = "registry/src/index/indelible-0.1.0/src"; // whose own name holds the same word
        assert_eq!(sources(&format!("{registry}/power/event.rs")), Some(registry));
        assert_eq!(sources("power/event.rs"), None);
    }

    #[test]
    fn this_file_is_the_crates_own() {
        assert!(is_ours(Location::caller()));
        let folder = Path::new(sources(file!()).expect("the sources are in `src`"));
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join("lib.rs").exists());
    }
}
