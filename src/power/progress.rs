//! [`Progress`]: how far an exploration has come, shown on a terminal.

use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::{Duration, Instant};

/// How far an exploration has come.
pub(super) struct Progress {
    /// Crashes that were begun.
    pub crash: usize,
    /// Of so many.
    pub of: usize,
    /// Images that were tried.
    pub images: usize,
}

/// If there is a terminal, shows a line of progress there until `done`. An exploration of less than a second shows
/// nothing.
pub(super) fn show(done: impl Fn() -> bool, now: impl Fn() -> Progress) {
    let mut terminal = io::stderr();
    if !terminal.is_terminal() {
        return;
    }
    let began = Instant::now();
    let mut shown = false;
    while !done() {
        thread::park_timeout(Duration::from_millis(50));
        if began.elapsed() > Duration::from_secs(1) {
            let Progress { crash, of, images } = now();
            let _ = write!(terminal, "\rexploring: crash {crash} of {of}, {images} images ");
            shown = true;
        }
    }
    if shown {
        let _ = write!(terminal, "\r\x1b[K");
    }
}
