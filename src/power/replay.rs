//! [`replay`]: one image again, from the seed that a report printed.

use super::choices::Choices;
use super::crash::Crash;
use super::cursor::Cursor;
use super::failure::Failure;
use super::mutation::Mutation;
use super::run::{Run, Runner, Subject};
use super::shrink::shrink;
use super::start::Start;
use super::step::Step;

/// What a crash left, and what became of one image of it.
type Tried<E> = (Start<E>, Run<E>);

/// Runs one image again; `None` where nothing goes wrong.
///
/// # Panics
///
/// If `seed` is not of the form that reports print.
pub(super) fn replay<S: Subject>(subject: &S, seed: &str) -> Option<Failure> {
    let recording = subject.record();
    let settings = subject.settings();
    let crashes = Crash::all_of(&recording.events, settings.kills && settings.depth > 1);
    let mut runner = Runner::new(subject, Mutation::default());
    let mut last: Option<Tried<S::Entry>> = None;
    for (index, step) in seed.split('/').enumerate() {
        let step: Step = step.parse().expect("the seed of a report");
        let start = match &last {
            None if crashes.contains(&step.crash) => {
                Cursor::of_workload(&recording, Mutation::default()).start(step.crash)
            }
            None => return recording.exposure().filter(|failure| failure.seed() == seed),
            Some((_, run)) if step.crash.event() > run.events.len() => return None,
            Some((from, run)) => Cursor::of_run(from, run, Mutation::default(), index).start(step.crash),
        };
        let forced = step.forced.map(|units| units.into_iter().collect());
        let run = runner.run(&start, Choices::along(&step.path), forced, true);
        last = Some((start, run));
    }
    let (start, run) = last?;
    run.problem.is_some().then(|| shrink(&mut runner, &start, run))
}
