//! [`Size`]: how many images a crash could leave.

use super::machine::Machine;

/// How many images one crash could leave, and how many of them could be told apart; see
/// [`Report::sizes`](super::Report::sizes).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Size {
    /// Images that were tried: those that recovery and the root's walk can tell apart.
    pub tried: usize,
    /// Stores that no fence had made durable.
    pub undurable: usize,
    /// How many images there are, as a power of ten: the product of the numbers of values that each unit may
    /// have.
    pub log10: f64,
}

impl Size {
    /// The images of a state after a power failure, of which so many were tried.
    pub(super) fn of(crashed: &Machine, tried: usize) -> Self {
        let open = crashed.all_undecided();
        Size {
            tried,
            undurable: open.iter().map(|open| open.stored.len() - 1).sum(),
            log10: open.iter().map(|open| (open.values.len() as f64).log10()).sum(),
        }
    }
}
