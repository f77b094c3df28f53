//! Random programs over words, lists, slices, logs and maps, with fences in between, aborts, and transactions on
//! other threads, each explored in the images that a crash may leave: an image is what the acknowledged
//! transactions made, exactly, or with the one in flight, whole.
//!
//! ```sh
//! INDELIBLE_RANDOM_PROGRAMS=100000 INDELIBLE_RANDOM_SEED=1 cargo test --release --test random -- --nocapture
//! ```
//!
//! runs so many, of the seeds from there on. A failure names its seed and a short program that fails too.

mod program;
mod run;
mod shrink;
mod state;
mod stored;

use indelible_test_support::long::{number, short_or};
use program::Program;
use std::fmt::Write;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// Programs of one run that are made shorter; one fault has many.
const SHRUNK: usize = 3;

fn told(seed: u64, program: &Program, message: &str) -> String {
    let mut text = String::new();
    let mut line = |args: std::fmt::Arguments| text.write_fmt(args).expect("a string takes all");
    let Program { model, journal_words, depth, kills, file_system, transactions, then } = program;
    line(format_args!("\nseed {seed} fails. Again:\n"));
    line(format_args!(
        "    INDELIBLE_RANDOM_PROGRAMS=1 INDELIBLE_RANDOM_SEED={seed} cargo test --test random\n"
    ));
    line(format_args!("{model:?}, {journal_words} words of journal, depth {depth}"));
    line(format_args!("{}", if *kills { ", kills" } else { "" }));
    line(format_args!("{}\n", if *file_system { ", file system" } else { "" }));
    for (part, transactions) in [("", transactions), ("after recovery, ", then)] {
        for (index, transaction) in transactions.iter().enumerate() {
            let place = if transaction.elsewhere { ", on a thread of its own" } else { "" };
            line(format_args!("{part}transaction {index} ({:?}{place}):\n", transaction.end));
            for step in &transaction.steps {
                line(format_args!("    {step:?}\n"));
            }
        }
    }
    line(format_args!("{message}\n"));
    text
}

#[test]
fn random_programs_are_failure_atomic() {
    let began = Instant::now();
    let first = number("INDELIBLE_RANDOM_SEED", 1_u64);
    let programs = number("INDELIBLE_RANDOM_PROGRAMS", short_or(500, 2_000_u64));
    let (next, images) = (AtomicU64::new(0), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    let lock = || failures.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= programs || lock().len() >= SHRUNK {
                        return;
                    }
                    let seed = first.wrapping_add(index);
                    let program = Program::random(seed);
                    match run::explore(&program) {
                        Ok(count) => drop(images.fetch_add(count, Ordering::Relaxed)),
                        Err(message) => {
                            println!("seed {seed} fails after {:.1} s", began.elapsed().as_secs_f64());
                            let (program, message) =
                                shrink::shrink(program, message, |program| run::explore(program).err());
                            lock().push((seed, told(seed, &program, &message)));
                        }
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort();
    let (images, seconds) = (images.into_inner(), began.elapsed().as_secs_f64());
    println!("{programs} programs from seed {first}, {images} images, {seconds:.1} s");
    for (_, told) in &failures {
        println!("{told}");
    }
    let seeds: Vec<u64> = failures.iter().map(|(seed, _)| *seed).collect();
    assert!(seeds.is_empty(), "programs that fail, among others, by their seeds: {seeds:?}");
}
