//! [`Verdict`]: what a check returns.

use std::fmt::Display;

/// What a check returns: nothing (it panics where something is wrong), or a `Result`.
///
/// ```
/// use indelible::power::Verdict;
///
/// assert_eq!(().verdict(), Ok(()));
/// assert_eq!(Err::<(), _>("a payment is lost").verdict(), Err("a payment is lost".to_string()));
/// ```
pub trait Verdict {
    /// The complaint, if there is one.
    fn verdict(self) -> Result<(), String>;
}

impl Verdict for () {
    fn verdict(self) -> Result<(), String> {
        Ok(())
    }
}

impl<X: Display> Verdict for Result<(), X> {
    fn verdict(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}
