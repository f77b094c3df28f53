//! [`Problem`]: what recovery or a check complains about. A check may panic thousands of times in one exploration, so
//! its messages are caught and not printed.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is caught by [`catch`].
    static SILENT: Cell<bool> = const { Cell::new(false) };
    /// Where the last silent panic was, as `file:line`.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What went wrong.
pub(super) struct Problem {
    /// The panic's message, or the error's.
    pub message: String,
    /// The line that panicked, as `file:line`; `None` if nothing panicked.
    pub found_at: Option<String>,
}

impl From<String> for Problem {
    fn from(message: String) -> Self {
        Problem { message, found_at: None }
    }
}

/// Installs a panic hook that is silent inside [`catch`], and calls the present hook elsewhere.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| match SILENT.get() {
            false => before(info),
            true => PLACE.set(info.location().map(|at| format!("{}:{}", at.file(), at.line()))),
        }));
    });
}

/// Runs `f`. A panic is a problem, as an error is.
pub(super) fn catch(f: impl FnOnce() -> Result<(), String>) -> Result<(), Problem> {
    PLACE.set(None);
    let was = SILENT.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    SILENT.set(was);
    let payload = match result {
        Ok(result) => return result.map_err(Problem::from),
        Err(payload) => payload,
    };
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    Err(Problem { message: text.to_string(), found_at: PLACE.take() })
}
