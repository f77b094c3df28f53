//! [`panics`]: what must panic, without its message on the terminal.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// How many panics are expected on this thread; their messages are not for the terminal.
    static EXPECTED: Cell<usize> = const { Cell::new(0) };
    /// The message of the last of them, and the file that it blames.
    static PANICKED: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

/// Runs `f`, which must panic. Returns the message and the file that it blames; of a payload that was thrown without
/// a panic, there is no file.
#[track_caller]
pub fn panics<X>(f: impl FnOnce() -> X) -> (String, String) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if EXPECTED.get() == 0 {
                return default(info);
            }
            let message = info.payload_as_str().unwrap_or_default().to_string();
            let file = info.location().map(|at| at.file().to_string()).unwrap_or_default();
            PANICKED.set(Some((message, file)));
        }));
    });
    PANICKED.set(None);
    EXPECTED.set(EXPECTED.get() + 1);
    let caught = catch_unwind(AssertUnwindSafe(f));
    EXPECTED.set(EXPECTED.get() - 1);
    let payload = caught.err().expect("it panics");
    PANICKED.take().unwrap_or_else(|| {
        let message = payload.downcast::<String>().map_or_else(
            |payload| payload.downcast::<&str>().map_or_else(|_| String::new(), |text| text.to_string()),
            |text| *text,
        );
        (message, String::new())
    })
}
