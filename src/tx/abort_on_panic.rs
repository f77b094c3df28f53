//! [`AbortOnPanic`].

/// docs/design.md, 7.8: a panic between the commit point and the end of the commit would leave the published state half applied.
pub(crate) struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        eprintln!(
            "indelible: panic after a commit point; the process is aborted, reopening recovers the region"
        );
        std::process::abort();
    }
}
