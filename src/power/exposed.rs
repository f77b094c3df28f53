//! [`Exposed`]: what a commit was about to make reachable too early.

use super::unit::Open;

/// What a commit was about to make reachable though a power failure could still take it back.
#[derive(Clone, Debug)]
pub(super) struct Exposed {
    /// How many events had happened.
    pub event: usize,
    /// The units that were not durable.
    pub open: Vec<Open>,
}

impl Exposed {
    /// What a report says of it.
    pub(super) const MESSAGE: &str =
        "a commit is about to make something reachable that no fence has made durable yet";
}
