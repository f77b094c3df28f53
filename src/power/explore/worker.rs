//! [`Worker`]: recovery on all images of a crash, and of the crashes in what follows; [`Cursor`]: the crashes of the
//! recorded workload, one after the other.

use super::{Explorer, Mutation, Recording, Run, SAMPLES, Shared, Start};
use crate::error::Result;
use crate::medium::Map;
use crate::options::Options;
use crate::persistent::Persistent;
use crate::power::choice::{Choices, Path};
use crate::power::history::{History, Log};
use crate::power::machine::{LINE_WORDS, Machine, Unit, WORD};
use crate::power::recorder::{Event, EventKind, Exposed, Phase, Recorder, Site};
use crate::power::report::{Crash, Place, Size, Step};
use crate::power::silence::{self, Problem};
use crate::region::{Region, recover};
use std::collections::HashMap;
use std::panic::Location;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// Whether processes are killed after this event: it is a store. Of stores to new objects, which nothing
/// reaches, the last in a row will do: recovery reads none of them, and so can't tell them apart.
pub(super) fn is_kill_point(events: &[Event], index: usize) -> bool {
    match events[index].kind {
        EventKind::Store { .. } | EventKind::Stream { .. } => {
            !(events[index].is_in_new_object() && events.get(index + 1).is_some_and(Event::is_in_new_object))
        }
        _ => false,
    }
}

/// A place in the recorded workload, which moves from crash to crash: the states there are too many to keep.
pub(super) struct Cursor<'a, E> {
    recording: &'a Recording<E>,
    mutation: Mutation,
    begin: Phase,
    machine: Machine,
    history: History<E>,
    /// Events that have happened.
    at: usize,
}

impl<'a, E: Clone> Cursor<'a, E> {
    pub fn new<R: Persistent>(
        explorer: &Explorer<R, E>,
        recording: &'a Recording<E>,
        mutation: Mutation,
    ) -> Self {
        let begin = if explorer.creation.is_some() { Phase::Absent } else { Phase::Open };
        let (machine, history) = (recording.machine.clone(), History::in_phase(begin));
        Cursor { recording, mutation, begin, machine, history, at: 0 }
    }

    pub fn start(&mut self, crash: Crash) -> Start<E> {
        let events = &self.recording.events;
        if crash.event() < self.at {
            self.machine = self.recording.machine.clone();
            self.history = History::in_phase(self.begin);
            self.at = 0;
        }
        for event in &events[self.at..crash.event()] {
            apply(&mut self.machine, event, self.mutation.event == Some(self.at), None);
            self.history.apply(event, &self.recording.notes, 0);
            self.at += 1;
        }
        start(&self.machine, &self.history, events, crash, &[])
    }
}

pub(super) fn start<E: Clone>(
    machine: &Machine,
    history: &History<E>,
    events: &[Event],
    crash: Crash,
    before: &[Step],
) -> Start<E> {
    let machine = match crash {
        Crash::Power(_) => machine.power_failure(),
        Crash::Kill(_) => machine.kill(),
    };
    let mut steps = before.to_vec();
    steps.push(Step { crash, place: Place::of(crash, events), path: Path::default(), forced: None });
    Start { machine, history: history.clone(), steps }
}

/// What an event does to memory; nothing if it is left out.
pub(in crate::power) fn apply(machine: &mut Machine, event: &Event, left_out: bool, mute: Option<Site>) {
    let muted = left_out || (mute.is_some() && mute == Site::of(event));
    match event.kind {
        EventKind::Store { word, value } => machine.store(word, value, event.origin),
        EventKind::Stream { word, value } => machine.stream(event.thread, word, value, event.origin),
        EventKind::Flush { line } if !muted => machine.flush(event.thread, line),
        EventKind::Fence if !muted => machine.fence(event.thread),
        EventKind::Grow { len } => machine.grow(len),
        EventKind::Sync => machine.settle(),
        EventKind::Phase(Phase::Closed) => machine.unsafe_shutdown(),
        EventKind::Decide { word, value } => {
            if let Some(open) = machine.undecided(word) {
                machine.decide(&open, value);
            }
        }
        _ => {}
    }
}

/// Runs recovery on images, one after the other in the same memory.
pub(super) struct Worker<'a, R: Persistent, E> {
    explorer: &'a Explorer<R, E>,
    mutation: Mutation,
    map: Option<Arc<Map>>,
    /// Lines in `map` that differ from the base.
    changed: Vec<usize>,
}

impl<'a, R: Persistent, E: Clone + Send + Sync + 'static> Worker<'a, R, E> {
    pub fn new(explorer: &'a Explorer<R, E>, mutation: Mutation) -> Self {
        Worker { explorer, mutation, map: None, changed: Vec::new() }
    }

    /// All images of one crash, and crashes in what follows.
    pub fn explore(&mut self, start: &Start<E>, level: usize, index: usize, shared: &Shared<'_, E>) {
        let explorer = self.explorer;
        let fresh = || {
            let mut seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.insert(fingerprint(start, level))
        };
        if shared.failed.load(Ordering::Relaxed) <= index || !fresh() {
            return;
        }
        let mut sampling = shared.is_used_up(explorer);
        if shared.is_late() || (sampling && level > 1) {
            shared.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        shared.points.fetch_add(1, Ordering::Relaxed);
        let random = |tried: usize| {
            let seed = explorer.seed.wrapping_mul(0x9e37_79b9);
            Choices::random(seed.wrapping_add(index as u64 * 31 + tried as u64))
        };
        let mut choices = if sampling { random(0) } else { Choices::default() };
        let mut tried = 0;
        let mut samples = 0;
        loop {
            if shared.failed.load(Ordering::Relaxed) <= index {
                return;
            }
            let deeper = level < explorer.depth;
            let run = self.run(start, choices, None, deeper);
            shared.images.fetch_add(1, Ordering::Relaxed);
            tried += 1;
            if run.modulo_checksum {
                shared.modulo_checksum.store(true, Ordering::Relaxed);
            }
            if run.problem.is_some() {
                // Crashes before this one are still explored, so that threads don't decide which is told.
                shared.failed.fetch_min(index, Ordering::Relaxed);
                let failure = explorer.failure(self, start, run);
                shared.failures.lock().unwrap_or_else(PoisonError::into_inner).push((index, failure));
                return;
            }
            {
                let mut sites = shared.sites.lock().unwrap_or_else(PoisonError::into_inner);
                sites.extend(
                    run.events.iter().filter_map(|event| Some((Site::of(event)?, event.is_explicit()))),
                );
            }
            if deeper {
                self.explore_within(start, &run, level, index, shared);
            }
            // The next image: the next leaf of the tree, or a random one when the budget is used up.
            choices = Choices::along(&run.path);
            choices.replay_end();
            if sampling {
                shared.sampled.fetch_add(1, Ordering::Relaxed);
                samples += 1;
                if samples == SAMPLES {
                    return;
                }
            } else if !choices.next() {
                break;
            }
            if shared.is_late() {
                shared.left_out.fetch_add(1, Ordering::Relaxed);
                return;
            }
            sampling = sampling || shared.is_used_up(explorer);
            if sampling {
                choices = random(tried);
            }
        }
        if level == 1 && matches!(start.steps[0].crash, Crash::Power(_)) {
            let size = Size::of(&start.machine, tried);
            shared.sizes.lock().unwrap_or_else(PoisonError::into_inner).push((index, size));
        }
    }

    /// Crashes inside a run: before every fence, after every acknowledgement, at the end; kills after every
    /// store.
    fn explore_within(
        &mut self,
        from: &Start<E>,
        run: &Run<E>,
        level: usize,
        index: usize,
        shared: &Shared<'_, E>,
    ) {
        let mut machine = from.machine.clone();
        let mut history = from.history.clone();
        let mut steps = from.steps.clone();
        if let Some(step) = steps.last_mut() {
            step.path = run.path.clone();
        }
        let kills = self.explorer.kills && level + 1 < self.explorer.depth;
        let number = fingerprint(from, level) ^ run.path.number();
        for (at, event) in run.events.iter().enumerate() {
            if event.kind == EventKind::Fence {
                let crash = start(&machine, &history, &run.events, Crash::Power(at), &steps);
                self.explore(&crash, level + 1, index, shared);
            }
            apply(&mut machine, event, false, self.mutation.site);
            history.apply(event, run.history.begun(), number);
            let crash = match event.kind {
                EventKind::Acknowledge(_) => Crash::Power(at + 1),
                _ if kills && is_kill_point(&run.events, at) => Crash::Kill(at + 1),
                _ => continue,
            };
            self.explore(&start(&machine, &history, &run.events, crash, &steps), level + 1, index, shared);
        }
        let crash = start(&machine, &history, &run.events, Crash::Power(run.events.len()), &steps);
        self.explore(&crash, level + 1, index, shared);
    }

    /// Recovery on one image, the check, and what follows.
    pub fn run(
        &mut self,
        start: &Start<E>,
        choices: Choices,
        forced: Option<HashMap<Unit, usize>>,
        go_on: bool,
    ) -> Run<E> {
        let explorer = self.explorer;
        let map = self.prepare(&start.machine);
        let recorder = Recorder::new(map, start.machine.clone(), choices);
        {
            let mut state = recorder.state();
            state.mute = self.mutation.site;
            state.settle = explorer.settle;
            state.without = explorer.without;
            state.forced = forced;
        }
        let log = Log::new(recorder.clone(), start.history.clone());
        if start.history.phase() != Phase::Absent {
            recorder.note(EventKind::Phase(Phase::Between), Location::caller());
        }
        let problem = silence::catch(|| {
            let opened = recover::recover::<R, Recorder>(
                &recorder,
                start.machine.len() as u64,
                &Options::new(),
                Location::caller(),
            );
            let (engine, recovered) = match opened {
                Ok(opened) => opened,
                Err(_) if start.history.phase() == Phase::Absent => return Ok(()),
                Err(error) => return Err(format!("recovery refused the region: {error}")),
            };
            match start.history.phase() {
                Phase::Open if !recovered => {
                    return Err("the region was open, and looks as if it had been closed".to_string());
                }
                Phase::Closed if recovered => {
                    return Err("the region was closed, and looks as if it had not been".to_string());
                }
                _ => recorder.note(EventKind::Phase(Phase::Open), Location::caller()),
            }
            let mut region = Region::new_parts(recorder.clone(), engine, recovered);
            let result = self.check(&mut region, start, &log, &recorder, go_on);
            region.abandon();
            result
        });
        let mut state = recorder.state();
        self.changed = state.machine.touched().collect();
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
        Run {
            problem,
            undurable,
            decided: std::mem::take(&mut state.decided),
            events: std::mem::take(&mut state.events),
            path: state.choices.path(),
            modulo_checksum: state.modulo_checksum,
            history: {
                drop(state);
                log.history()
            },
        }
    }

    fn check(
        &self,
        region: &mut Region<R, Recorder>,
        start: &Start<E>,
        log: &Log<E>,
        recorder: &Recorder,
        go_on: bool,
    ) -> Result<(), String> {
        (self.explorer.check)(region.root(), &start.history)?;
        if let (Some(then), true) = (&self.explorer.then, go_on) {
            then(region, log).map_err(|error| format!("what follows recovery failed: {error}"))?;
            drop(recorder.state());
            (self.explorer.check)(region.root(), &log.history())
                .map_err(|problem| format!("after what follows recovery: {problem}"))?;
        }
        Ok(())
    }

    /// Memory as the crash left it, with the newest value wherever it is open.
    fn prepare(&mut self, machine: &Machine) -> Arc<Map> {
        let map = match self.map.take() {
            Some(map) if map.len() == machine.len() && Arc::strong_count(&map) == 1 => {
                for line in self.changed.drain(..) {
                    write_line(&map, line, |word| machine.visible(word));
                }
                map
            }
            _ => {
                let map =
                    Map::anonymous(machine.len(), machine.len() * 16).expect("memory for a small region");
                (0..machine.len() / WORD / LINE_WORDS)
                    .for_each(|line| write_line(&map, line, |word| machine.visible(word)));
                Arc::new(map)
            }
        };
        for line in machine.touched() {
            write_line(&map, line, |word| machine.visible(word));
        }
        self.map = Some(map.clone());
        map
    }
}

fn write_line(map: &Map, line: usize, value: impl Fn(usize) -> u64) {
    for word in line * LINE_WORDS..(line + 1) * LINE_WORDS {
        if (word + 1) * WORD <= map.len() {
            map.store(word * WORD, value(word));
        }
    }
}

fn fingerprint<E>(start: &Start<E>, level: usize) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut state = DefaultHasher::new();
    (level, start.machine.fingerprint(), start.history.progress()).hash(&mut state);
    state.finish()
}
