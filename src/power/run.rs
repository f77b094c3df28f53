//! [`Subject`]: what can be explored, and [`Runner`], which runs its recovery on one image after the other.
//!
//! A subject records its workload once, and knows how its memory is opened after a crash. All else is the same for
//! every subject: what a crash leaves, which images are tried, and what is made of a failure.

use super::choices::Choices;
use super::event::Event;
use super::exposed::Exposed;
use super::history::History;
use super::log::Log;
use super::machine::Machine;
use super::mutation::Mutation;
use super::path::Path;
use super::problem::{self, Problem};
use super::recorder::Recorder;
use super::recording::Recording;
use super::settings::Settings;
use super::start::Start;
use super::unit::{LINE_WORDS, Open, Unit, WORD};
use crate::medium::Map;
use std::collections::HashMap;
use std::sync::Arc;
use zerocopy::IntoBytes;

/// A kind of memory with a workload on it, whose crash images are explored.
pub(super) trait Subject: Sync {
    /// What the workload notes of its progress.
    type Entry: Clone + Send + Sync;

    /// What it is called in reports.
    const NAME: &str;

    /// How it is explored.
    fn settings(&self) -> &Settings;

    /// Runs the workload once, where nothing fails.
    fn record(&self) -> Recording<Self::Entry>;

    /// Opens the memory of an image, lets the program's check look at it, and goes on with the program.
    ///
    /// Bytes that are written through `&mut` must be known to the recorder when this returns `Ok`.
    fn recover(&self, image: &Image<'_, Self::Entry>) -> Result<(), String>;
}

/// A crash image on which a program starts again.
pub(super) struct Image<'a, E> {
    /// The memory.
    pub recorder: &'a Recorder,
    /// What was begun and acknowledged before the crash.
    pub history: &'a History<E>,
    /// For what is begun and acknowledged since.
    pub log: &'a Log<E>,
    /// Whether the program goes on after recovery and check.
    pub go_on: bool,
}

/// What became of one image.
pub(super) struct Run<E> {
    /// What went wrong, if anything did.
    pub problem: Option<Problem>,
    /// Units that were taken for durable and were not.
    pub undurable: Vec<Open>,
    /// Units that were decided, each with the index of its value.
    pub decided: Vec<(Open, usize)>,
    /// What happened.
    pub events: Vec<Event>,
    /// What was begun and acknowledged in the end.
    pub history: History<E>,
    /// The choices that lead to this image.
    pub path: Path,
    /// Whether some outcomes of a checksummed range were taken for one.
    pub modulo_checksum: bool,
}

/// Runs recovery on images, one after the other in the same memory.
pub(super) struct Runner<'a, S> {
    subject: &'a S,
    mutation: Mutation,
    /// The memory of the last image.
    map: Option<Arc<Map>>,
    /// Lines of `map` that may differ from what the workload began with; `None` if any may.
    changed: Option<Vec<usize>>,
}

impl<'a, S: Subject> Runner<'a, S> {
    pub(super) fn new(subject: &'a S, mutation: Mutation) -> Self {
        Runner { subject, mutation, map: None, changed: None }
    }

    /// Runs recovery on one image, the check, and if `go_on` says so, what follows. The image is given by `choices`,
    /// or by the units that do not have their newest value.
    pub(super) fn run(
        &mut self,
        start: &Start<S::Entry>,
        choices: Choices,
        forced: Option<HashMap<Unit, usize>>,
        go_on: bool,
    ) -> Run<S::Entry> {
        let settings = self.subject.settings();
        let recorder = Recorder::new(self.prepare(&start.machine), start.machine.clone(), choices);
        {
            let mut state = recorder.state();
            state.mute = self.mutation.site;
            state.opening = settings.opening;
            state.without = settings.without;
            state.forced = forced;
        }
        let log = Log::new(recorder.clone(), start.history.clone());
        let image = Image { recorder: &recorder, history: &start.history, log: &log, go_on };
        let problem = problem::catch(|| self.subject.recover(&image));
        let history = log.history();
        let mut state = recorder.state();
        let mut undurable = std::mem::take(&mut state.undurable);
        let exposed = state.exposed.take();
        let problem = match problem {
            Err(problem) => Some(problem),
            Ok(()) if !undurable.is_empty() => {
                let problem = "an object that the root reaches is not durable: it was published before it was flushed and fenced";
                Some(Problem::from(problem.to_string()))
            }
            Ok(()) => exposed.map(|exposed| {
                undurable = exposed.open;
                Problem::from(Exposed::MESSAGE.to_string())
            }),
        };
        // What went wrong may have left bytes that were written through `&mut`, of which the recorder does not know.
        self.changed = problem.is_none().then(|| state.machine.touched().collect());
        Run {
            problem,
            undurable,
            decided: std::mem::take(&mut state.decided),
            events: std::mem::take(&mut state.events),
            path: state.choices.path(),
            modulo_checksum: state.modulo_checksum,
            history,
        }
    }

    /// Memory as the crash left it, with the newest value wherever it is open.
    fn prepare(&mut self, machine: &Machine) -> Arc<Map> {
        let last = self.map.take().filter(|map| map.len() == machine.len() && Arc::strong_count(map) == 1);
        let map = match (last, self.changed.take()) {
            (Some(map), Some(changed)) => {
                changed.into_iter().for_each(|line| write_line(&map, machine, line));
                map
            }
            (last, _) => {
                let map = last.unwrap_or_else(|| {
                    Arc::new(Map::anonymous(machine.len(), machine.len() * 16).expect("a small memory"))
                });
                let base = machine.base_words().as_bytes();
                map.store_bytes(0, base);
                (base.len()..map.len()).step_by(WORD).for_each(|at| map.store(at, 0));
                map
            }
        };
        for line in machine.touched() {
            write_line(&map, machine, line);
        }
        self.map = Some(map.clone());
        map
    }
}

/// Writes what is visible in a line, as far as it is in the map.
fn write_line(map: &Map, machine: &Machine, line: usize) {
    for word in line * LINE_WORDS..(line + 1) * LINE_WORDS {
        if (word + 1) * WORD <= map.len() {
            map.store(word * WORD, machine.visible(word));
        }
    }
}
