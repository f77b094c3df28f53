//! What every bug's test asks: that the wrong program is found out, at the right line, and that the right one
//! passes in every image.

use indelible::power::{Explorer, Failure};
use indelible::{Persistent, Word};

/// A source file: its name as the compiler has it, and its text.
pub type Source = (&'static str, &'static str);

/// This source file.
macro_rules! source {
    ($name:literal) => {
        (file!(), include_str!($name))
    };
}
pub(crate) use source;

/// The place that follows the comment `marker`, as `file:line`.
#[track_caller]
pub fn place((file, text): Source, marker: &str) -> String {
    let comment = format!("// {marker}");
    let found: Vec<usize> =
        (2..).zip(text.lines()).filter(|(_, line)| line.trim() == comment).map(|(next, _)| next).collect();
    assert_eq!(found.len(), 1, "lines that say {comment:?}");
    format!("{file}:{}", found[0])
}

/// A crash breaks this program: the check or the restart says `message`, and the report names `place` as that
/// of a store, or as the crash's own.
#[track_caller]
pub fn is_found<R: Persistent, E: Clone + Send + Sync + 'static>(
    explorer: Explorer<R, E>,
    message: &str,
    place: &str,
) {
    let explorer = explorer.progress(false);
    let report = explorer.run();
    let failure = report.failure().expect("the explorer finds the bug");
    println!("{report}\n");
    assert!(failure.message().contains(message), "not {message:?}:\n{report}");
    let named: Vec<String> =
        [failure.lost_at(), failure.survived_at()].concat().into_iter().chain(failure.crash_at()).collect();
    assert!(named.iter().any(|line| line == place), "{place} is not named:\n{report}");
    assert!(report.to_string().contains(place), "{place} is not shown:\n{report}");

    let again = explorer.replay(&failure.seed());
    let again = again.as_ref().map(Failure::message);
    assert_eq!(again, Some(failure.message()), "the seed leads to the same failure");
}

/// No crash breaks this program, and all were tried.
#[track_caller]
pub fn passes<R: Persistent, E: Clone + Send + Sync + 'static>(explorer: Explorer<R, E>) {
    let report = explorer.progress(false).run().assert();
    println!("{report}");
    assert!(report.is_exhaustive(), "{report}");
}

/// `N` words that are zero.
pub fn zeros<const N: usize>() -> [Word<u64>; N] {
    std::array::from_fn(|_| Word::new(0))
}
