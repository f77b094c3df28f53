//! How long a test may take. `cargo test` is for whoever changes a line, and is over in minutes; what needs longer
//! to be thorough has a short form there, and its whole form in the stage `long` of `.ci/run`.

use std::str::FromStr;

/// Whether this is a long run: `INDELIBLE_LONG=1`.
pub fn is_long() -> bool {
    std::env::var_os("INDELIBLE_LONG").is_some_and(|value| value != "0")
}

/// The one or the other, as [`is_long`] says.
pub fn short_or<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}

/// The number that this variable of the environment has; `otherwise` if it is not set.
pub fn number<N: FromStr>(variable: &str, otherwise: N) -> N {
    match std::env::var(variable) {
        Err(_) => otherwise,
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")),
    }
}
