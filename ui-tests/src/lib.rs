//! Programs that must not compile, and the messages they get: `cases/` by topic, run by `tests/ui.rs`.
