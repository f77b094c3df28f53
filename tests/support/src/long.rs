//! How long a test may take. `cargo test` is for whoever changes a line, and is over in minutes; what needs longer
//! to be thorough has a short form there, and its whole form in the stage `long` of `.ci/run`.

/// Whether this is a long run: `INDELIBLE_LONG=1`.
pub fn is_long() -> bool {
    std::env::var_os("INDELIBLE_LONG").is_some_and(|value| value != "0")
}

/// The one or the other, as [`is_long`] says.
pub fn short_or<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}
