//! [`shrink`]: the shortest story for an image that went wrong.

use super::choices::Choices;
use super::failure::Failure;
use super::problem::Problem;
use super::run::{Run, Runner, Subject};
use super::start::Start;
use super::unit::{Open, Unit};
use std::collections::HashMap;

/// Units that do not have their newest value, each with the index of its value.
type Forced = HashMap<Unit, usize>;

/// Gives back every lost store that the failure does not need, and names the stores that it needs.
pub(super) fn shrink<S: Subject>(
    runner: &mut Runner<'_, S>,
    start: &Start<S::Entry>,
    run: Run<S::Entry>,
) -> Failure {
    let mut fails = |forced: &Forced| {
        let run = runner.run(start, Choices::default(), Some(forced.clone()), true);
        run.problem.is_some().then_some(run)
    };
    let mut forced: Forced = run.decided.iter().map(|(open, index)| (open.unit, *index)).collect();
    let mut best = fails(&forced).unwrap_or(run);
    // Until no lost store can be given back: one may be needed only as long as another is lost too.
    let mut changed = true;
    while changed {
        changed = false;
        for (open, _) in lost(&best) {
            let was = forced.insert(open.unit, open.newest());
            match (fails(&forced), was) {
                (Some(run), _) => (best, changed) = (run, true),
                (None, Some(index)) => drop(forced.insert(open.unit, index)),
                (None, None) => {}
            }
        }
    }
    // Of the stores that survived without being durable, name those without which nothing would be wrong.
    let survived: Vec<Open> = best
        .decided
        .iter()
        .filter(|(open, index)| *index == open.newest())
        .filter(|(open, _)| {
            let mut without = forced.clone();
            without.insert(open.unit, 0);
            fails(&without).is_none()
        })
        .map(|(open, _)| open.clone())
        .collect();
    let lost = lost(&best);
    let mut steps = start.steps.clone();
    if let Some(step) = steps.last_mut() {
        step.forced = Some(lost.iter().map(|(open, index)| (open.unit, *index)).collect());
    }
    let problem = best.problem.unwrap_or_else(|| Problem::from(String::new()));
    Failure {
        subject: S::NAME,
        message: problem.message,
        found_at: problem.found_at,
        steps,
        lost,
        survived,
        undurable: best.undurable,
        acknowledged: start.history.acknowledged().len(),
        begun: start.history.begun().len(),
    }
}

/// The units that do not have their newest value.
fn lost<E>(run: &Run<E>) -> Vec<(Open, usize)> {
    run.decided.iter().filter(|(open, index)| *index != open.newest()).cloned().collect()
}
