//! [`Fences`]: when something was flushed.

/// A time, counted in the fences of a transaction. What was flushed at a time is durable once there are more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fences(u64);

impl Fences {
    /// Before the transaction: nothing of it was flushed then.
    pub(super) const NONE: Self = Fences(0);
    /// When the transaction begins.
    pub(super) const FIRST: Self = Fences(1);

    /// The time after the next fence.
    pub(super) fn next(self) -> Self {
        Fences(self.0 + 1)
    }
}
