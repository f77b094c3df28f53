//! [`Search`]: all crash images of a recorded workload, tried by several threads.
//!
//! Each crash of the workload is one piece of work. A thread tries all images of it, and of the crashes inside the
//! runs on these images, and so on. The threads share the set of states that they have seen, so that no state is
//! explored twice.
//!
//! How many threads there are changes neither which failure is told nor how many images are tried, as long as no
//! budget is used up.

use super::choices::Choices;
use super::crash::Crash;
use super::cursor::Cursor;
use super::mutation::{Mutation, Site};
use super::problem;
use super::progress::{self, Progress};
use super::recording::Recording;
use super::report::Report;
use super::run::{Run, Runner, Subject};
use super::settings::Settings;
use super::shrink::shrink;
use super::size::Size;
use super::start::Start;
use std::collections::hash_map::{Entry, HashMap};
use std::collections::{BTreeSet, HashSet};
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// Images of one crash that are tried when the budget is used up.
const SAMPLES: usize = 16;

/// Explores a recorded workload of which something is left out. Also returns the flushes and fences that were met in
/// recovery and after it, and whether the program asked for each.
pub(super) fn search<S: Subject>(
    subject: &S,
    recording: &Recording<S::Entry>,
    mutation: Mutation,
) -> (Report, HashSet<(Site, bool)>) {
    let search = Search::new(subject, recording, mutation);
    let mut found = search.run();
    let failing = match found.failing.iter().map(|failing| failing.index).min() {
        Some(first) => search
            .passed_over(first)
            .or_else(|| found.failing.into_iter().find(|failing| failing.index == first)),
        None => None,
    };
    let failure = failing
        .map(|failing| shrink(&mut Runner::new(subject, mutation), &failing.start, failing.run))
        // An image makes the plainer story, where there is one.
        .or_else(|| recording.exposure());
    found.sizes.sort_by_key(|(index, _)| *index);
    let report = Report {
        failure,
        crash_points: search.points.into_inner(),
        images: search.images.into_inner(),
        sizes: found.sizes.into_iter().map(|(_, size)| size).collect(),
        sampled: search.sampled.into_inner(),
        left_out: search.left_out.into_inner(),
        modulo_checksum: search.modulo_checksum.into_inner(),
        time: search.began.elapsed(),
        seed: search.settings.seed,
        model: search.settings.model,
        events: recording.events.clone(),
        base: recording.start.machine.clone(),
    };
    (report, found.sites)
}

/// What the threads of one exploration share.
struct Search<'a, S: Subject> {
    subject: &'a S,
    settings: &'a Settings,
    recording: &'a Recording<S::Entry>,
    mutation: Mutation,
    /// The crashes of the workload, in the order in which they are explored.
    crashes: Vec<Crash>,
    began: Instant,
    /// Where the next crash is taken from.
    queue: Mutex<Queue<'a, S::Entry>>,
    /// Index of the first crash that went wrong.
    failed: AtomicUsize,
    /// States that were met, by their fingerprints.
    seen: Mutex<HashMap<u64, Seen>>,
    /// Distinct states in which a crash was tried.
    points: AtomicUsize,
    /// Images that were tried.
    images: AtomicUsize,
    /// How many of them were chosen at random.
    sampled: AtomicUsize,
    /// Crash points that were left out, or cut short.
    left_out: AtomicUsize,
    /// Whether some outcomes of a checksummed range were taken for one.
    modulo_checksum: AtomicBool,
}

/// The crashes that are left.
struct Queue<'a, E> {
    /// Index of the next crash.
    next: usize,
    cursor: Cursor<'a, E>,
}

/// Who met a state, by the index of a crash of the workload.
struct Seen {
    /// The crash that explores it: it was there first.
    explorer: usize,
    /// The first crash, in their order, that leads to it.
    first: usize,
    /// Whether no crash is explored inside the runs on its images.
    leaf: bool,
}

/// An image that went wrong.
struct Failing<E> {
    /// Index of the workload's crash that led to it.
    index: usize,
    start: Start<E>,
    run: Run<E>,
}

/// What threads found.
struct Found<E> {
    failing: Vec<Failing<E>>,
    /// Sizes, each with the index of its crash.
    sizes: Vec<(usize, Size)>,
    sites: HashSet<(Site, bool)>,
}

impl<E> Default for Found<E> {
    fn default() -> Self {
        Found { failing: Vec::new(), sizes: Vec::new(), sites: HashSet::new() }
    }
}

impl<'a, S: Subject> Search<'a, S> {
    fn new(subject: &'a S, recording: &'a Recording<S::Entry>, mutation: Mutation) -> Self {
        let settings = subject.settings();
        let mut crashes = Crash::all_of(&recording.events, settings.kills && settings.depth > 1);
        if let Some(left_out) = mutation.event {
            // Those before are the unbroken workload's, which was explored.
            crashes.retain(|crash| crash.event() > left_out);
        }
        Search {
            subject,
            settings,
            recording,
            mutation,
            crashes,
            began: Instant::now(),
            queue: Mutex::new(Queue { next: 0, cursor: Cursor::of_workload(recording, mutation) }),
            failed: AtomicUsize::new(usize::MAX),
            seen: Mutex::default(),
            points: AtomicUsize::new(0),
            images: AtomicUsize::new(0),
            sampled: AtomicUsize::new(0),
            left_out: AtomicUsize::new(0),
            modulo_checksum: AtomicBool::new(false),
        }
    }

    /// Explores every crash, until one goes wrong.
    fn run(&self) -> Found<S::Entry> {
        problem::install();
        thread::scope(|scope| {
            let threads = 0..self.settings.threads.min(self.crashes.len());
            let threads: Vec<_> = threads.map(|_| scope.spawn(|| Worker::new(self).work())).collect();
            // Of mutants there are too many to tell of each.
            if self.settings.progress && self.mutation.is_nothing() {
                progress::show(|| threads.iter().all(|thread| thread.is_finished()), || self.progress());
            }
            let mut all = Found::default();
            for thread in threads {
                let found = thread.join().unwrap_or_else(|payload| panic::resume_unwind(payload));
                all.failing.extend(found.failing);
                all.sizes.extend(found.sizes);
                all.sites.extend(found.sites);
            }
            all
        })
    }

    /// What one thread alone would have met first, if that is something else than several threads found. They found
    /// `failed`, and no crash before it went wrong.
    ///
    /// A state is explored by the crash that is there first. With several threads that may be a later crash than one
    /// thread would have come from, and its exploration may have been cut short. So those crashes are explored again
    /// that passed over a state for this reason. States without crashes inside, which are nearly all, need no second
    /// look if they were explored to the end.
    fn passed_over(&self, failed: usize) -> Option<Failing<S::Entry>> {
        let again: BTreeSet<usize> = {
            let mut seen = self.seen();
            let is_done = |state: &Seen| state.leaf && state.explorer < failed;
            let passed_over = |state: &&Seen| state.first < state.explorer && !is_done(state);
            let again = seen.values().filter(passed_over).map(|state| state.first);
            let again = again.filter(|&index| index <= failed).collect();
            seen.retain(|_, state| is_done(state));
            again
        };
        self.failed.store(usize::MAX, Ordering::Relaxed);
        let mut worker = Worker::new(self);
        let mut cursor = Cursor::of_workload(self.recording, self.mutation);
        for index in again {
            worker.index = index;
            worker.explore(&cursor.start(self.crashes[index]), 1);
            if let Some(failing) = worker.found.failing.pop() {
                return Some(failing);
            }
        }
        None
    }

    /// The next crash whose state is new: its index, and what it leaves. States are taken in the order of the crashes,
    /// so that of equal ones the first is explored.
    fn next(&self) -> Option<(usize, Start<S::Entry>)> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let index = queue.next;
            let &crash = self.crashes.get(index)?;
            if self.is_over(index) {
                return None;
            }
            queue.next += 1;
            if self.is_late() {
                self.leave_out();
                continue;
            }
            let start = queue.cursor.start(crash);
            if self.is_new(&start, 1, index) {
                return Some((index, start));
            }
        }
    }

    /// Whether a state after `level` crashes has not been met yet.
    fn is_new(&self, start: &Start<S::Entry>, level: usize, index: usize) -> bool {
        let fingerprint = start.fingerprint(level);
        match self.seen().entry(fingerprint) {
            Entry::Vacant(state) => {
                state.insert(Seen { explorer: index, first: index, leaf: level == self.settings.depth });
                true
            }
            Entry::Occupied(mut state) => {
                let state = state.get_mut();
                state.first = state.first.min(index);
                false
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<u64, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the crash with this index need not be explored any more. Crashes before the one that failed are still
    /// explored, so that threads don't decide which failure is told.
    fn is_over(&self, index: usize) -> bool {
        self.failed.load(Ordering::Relaxed) <= index
    }

    /// Whether the time is used up.
    fn is_late(&self) -> bool {
        self.settings.max_time.is_some_and(|time| self.began.elapsed() > time)
    }

    /// Whether so many images were tried that the rest is sampled.
    fn is_used_up(&self) -> bool {
        self.images.load(Ordering::Relaxed) as u64 >= self.settings.max_images
    }

    /// A crash point is left out, or cut short.
    fn leave_out(&self) {
        self.left_out.fetch_add(1, Ordering::Relaxed);
    }

    fn progress(&self) -> Progress {
        let crash = self.queue.lock().unwrap_or_else(PoisonError::into_inner).next;
        Progress { crash, of: self.crashes.len(), images: self.images.load(Ordering::Relaxed) }
    }
}

/// One thread of a search.
struct Worker<'s, 'a, S: Subject> {
    search: &'s Search<'a, S>,
    runner: Runner<'a, S>,
    /// Index of the workload's crash that is explored.
    index: usize,
    found: Found<S::Entry>,
}

impl<'s, 'a, S: Subject> Worker<'s, 'a, S> {
    fn new(search: &'s Search<'a, S>) -> Self {
        let runner = Runner::new(search.subject, search.mutation);
        Worker { search, runner, index: 0, found: Found::default() }
    }

    /// Explores crashes of the workload until there are no more.
    fn work(mut self) -> Found<S::Entry> {
        while let Some((index, start)) = self.search.next() {
            self.index = index;
            self.explore(&start, 1);
        }
        self.found
    }

    /// Tries the images of one crash, which is the `level`-th in a row, and of the crashes inside each run.
    fn explore(&mut self, start: &Start<S::Entry>, level: usize) {
        let search = self.search;
        if search.is_over(self.index) {
            return;
        }
        let mut sampling = search.is_used_up();
        if search.is_late() || (sampling && level > 1) {
            return search.leave_out();
        }
        search.points.fetch_add(1, Ordering::Relaxed);
        let mut choices = if sampling { self.random(0) } else { Choices::default() };
        let (mut tried, mut samples) = (0, 0);
        loop {
            let Some(run) = self.image(start, choices, level) else { return };
            tried += 1;
            if run.path.is_empty() {
                // It is the only image.
                break;
            }
            choices = Choices::after(&run.path);
            if sampling {
                search.sampled.fetch_add(1, Ordering::Relaxed);
                samples += 1;
                if samples == SAMPLES {
                    return;
                }
            } else if !choices.next() {
                break;
            }
            if search.is_late() {
                return search.leave_out();
            }
            sampling = sampling || search.is_used_up();
            if sampling {
                choices = self.random(tried);
            }
        }
        if level == 1 && matches!(start.steps[0].crash, Crash::Power(_)) {
            self.found.sizes.push((self.index, Size::of(&start.machine, tried)));
        }
    }

    /// A random image, the `tried`-th of a crash.
    fn random(&self, tried: usize) -> Choices {
        let seed = self.search.settings.seed.wrapping_mul(0x9e37_79b9);
        Choices::random(seed.wrapping_add(self.index as u64 * 31 + tried as u64))
    }

    /// Tries one image, and the crashes inside its run. `None` if it goes wrong, or another one did before.
    fn image(&mut self, start: &Start<S::Entry>, choices: Choices, level: usize) -> Option<Run<S::Entry>> {
        let search = self.search;
        if search.is_over(self.index) {
            return None;
        }
        let deeper = level < search.settings.depth;
        let run = self.runner.run(start, choices, None, deeper);
        search.images.fetch_add(1, Ordering::Relaxed);
        if run.modulo_checksum {
            search.modulo_checksum.store(true, Ordering::Relaxed);
        }
        if run.problem.is_some() {
            search.failed.fetch_min(self.index, Ordering::Relaxed);
            self.found.failing.push(Failing { index: self.index, start: start.clone(), run });
            return None;
        }
        let sites = run.events.iter().filter_map(|event| Some((Site::of(event)?, event.is_explicit())));
        self.found.sites.extend(sites);
        if deeper {
            let kills = search.settings.kills && level + 1 < search.settings.depth;
            let mut cursor = Cursor::of_run(start, &run, search.mutation, level);
            for crash in Crash::all_of(&run.events, kills) {
                let start = cursor.start(crash);
                if search.is_new(&start, level + 1, self.index) {
                    self.explore(&start, level + 1);
                }
                if search.is_over(self.index) {
                    return None;
                }
            }
        }
        Some(run)
    }
}
