//! Cases that need another process: this test binary again, with one test that does nothing by itself.

use crate::{kill, locks, paths, race};
use indelible_test_support::process::{self, Running};
use std::path::{Path, PathBuf};
use std::process::Stdio;

const JOB: &str = "INDELIBLE_TEST_JOB";
const REGION: &str = "INDELIBLE_TEST_REGION";

#[test]
fn the_other_process() {
    let (Some(job), Some(path)) = (std::env::var_os(JOB), std::env::var_os(REGION)) else { return };
    let path = PathBuf::from(path);
    match job.to_str().unwrap_or_default() {
        "migrate" => kill::migrate_in_a_child(&path),
        "fork" => locks::fork_in_a_child(&path),
        "change-folders" => paths::change_folders_in_a_child(&path),
        "exchange" => race::exchange_for_ever(&path),
        other => panic!("no such job: {other}"),
    }
}

/// Starts a job on the region at `path`, and waits until it says that it has begun.
#[track_caller]
pub fn begin(job: &str, path: &Path) -> Running {
    let mut command = process::this_test("child::the_other_process");
    process::begin(command.env(JOB, job).env(REGION, path).stderr(Stdio::null()))
}
