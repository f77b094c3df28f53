//! A disk that fails.
use std::path::Path;
pub fn run(_step: &str, _folder: &Path) -> Result<(), String> {
    Ok(())
}
