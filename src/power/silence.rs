//! Checks fail by panicking, thousands of times in one exploration: their messages are caught, not printed.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

/// Puts a hook before the present one that is silent inside [`catch`].
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !SILENT.get() {
                before(info);
            }
        }));
    });
}

/// Runs `f`; a panic is its message.
pub(super) fn catch(f: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    let was = SILENT.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    SILENT.set(was);
    result.unwrap_or_else(|payload| {
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("a panic without a message");
        Err(text.to_string())
    })
}
