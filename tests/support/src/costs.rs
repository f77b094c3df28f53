//! What a transaction costs.

use indelible::power::Recorder;
use indelible::{Persistent, Region, Result, Tx};

/// Fences and flushed lines of what is done with a region.
pub fn cost_of<R: Persistent>(
    region: &mut Region<R, Recorder>,
    work: impl FnOnce(&mut Region<R, Recorder>),
) -> (usize, usize) {
    let start = region.medium().trace();
    work(region);
    let trace = region.medium().trace().since(&start);
    (trace.fences(), trace.flushed_lines())
}

/// Fences and flushed lines of one transaction, which must succeed.
#[track_caller]
pub fn cost<R: Persistent>(
    region: &mut Region<R, Recorder>,
    body: impl for<'t> FnOnce(&Tx<'t, Recorder>, &'t R) -> Result<()>,
) -> (usize, usize) {
    cost_of(region, |region| region.transact(body).expect("room"))
}
