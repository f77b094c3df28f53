//! Power failures, explored: every crash image of a workload that can be told apart, with real recovery on
//! each (feature `power`).

mod choice;
mod explore;
mod history;
mod machine;
mod mutants;
mod recorder;
mod report;
mod silence;
mod svg;
#[cfg(test)]
mod tests;

pub use explore::{Before, Explorer};
pub use history::{History, Log, Verdict};
pub use machine::Model;
pub use mutants::{Mutant, Mutants};
pub use recorder::{Event, EventKind, Phase, Recorder, Trace};
pub use report::{Failure, Report, Size};

#[doc(hidden)]
pub use crate::tx::journal::Rule;

use crate::error::Result;
use crate::persistent::Persistent;
use crate::region::{Region, create};

/// A region of at least `len` bytes whose events are recorded; see [`Recorder::trace`].
///
/// # Errors
///
/// [`Error::AddressSpace`](crate::Error::AddressSpace).
#[track_caller]
pub fn region<R: Persistent>(len: u64, root: R) -> Result<Region<R, Recorder>> {
    let (layout, text) = create::plan::<R>(1024, 1);
    let len = (len as usize).max(layout.min_len()).next_multiple_of(4096);
    let recorder = Recorder::zeroed(len, len * 64)?;
    let engine = create::build(&recorder, layout, &text, root, std::panic::Location::caller())?;
    Ok(Region::new_parts(recorder, engine, false))
}

/// Runs `workload` on a region whose root is first what `root` makes, and `check` on every image that a crash
/// could leave.
///
/// # Panics
///
/// With the whole story, if `check` fails on an image or recovery does.
#[track_caller]
pub fn explore<R, E, V>(
    root: impl Fn() -> R + Send + Sync + 'static,
    workload: impl Fn(&mut Region<R, Recorder>, &Log<E>) -> Result<()> + Send + Sync + 'static,
    check: impl Fn(&R, &History<E>) -> V + Send + Sync + 'static,
) -> Report
where
    R: Persistent,
    E: Clone + Send + Sync + 'static,
    V: Verdict,
{
    Explorer::new(root, workload, check).run().assert()
}
