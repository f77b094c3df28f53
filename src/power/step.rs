//! [`Step`]: one crash on the way to an image. The steps, as text, are a report's seed.

use super::crash::Crash;
use super::moment::Moment;
use super::path::Path;
use super::unit::Unit;
use std::fmt;
use std::str::FromStr;

/// A crash, and what was chosen in the recovery that followed.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub crash: Crash,
    /// When it strikes, for reports.
    pub moment: Moment,
    /// The choices, in order.
    pub path: Path,
    /// In place of a path: the units that do not have their newest value, each with the index of its value.
    pub forced: Option<Vec<(Unit, usize)>>,
}

impl Step {
    /// A crash with no choices yet.
    pub(super) fn new(crash: Crash, moment: Moment) -> Self {
        Step { crash, moment, path: Path::default(), forced: None }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.crash)?;
        let Some(forced) = &self.forced else { return write!(f, "{}", self.path) };
        let units: Vec<String> = forced.iter().map(|(unit, index)| format!("{unit}={index}")).collect();
        write!(f, "={}", units.join(","))
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text}: not what a report prints as its seed");
        let (crash, choices) = text.split_once(':').ok_or_else(wrong)?;
        let step = Step::new(crash.parse()?, Moment::default());
        let Some(units) = choices.strip_prefix('=') else {
            return Ok(Step { path: choices.parse().map_err(|_| wrong())?, ..step });
        };
        let unit = |text: &str| {
            let (unit, index) = text.split_once('=')?;
            Some((unit.parse().ok()?, index.parse().ok()?))
        };
        let units = units.split(',').filter(|unit| !unit.is_empty()).map(unit).collect::<Option<_>>();
        Ok(Step { forced: Some(units.ok_or_else(wrong)?), ..step })
    }
}
