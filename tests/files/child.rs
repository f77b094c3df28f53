//! Cases that need another process: this test binary again, with one test that does nothing by itself.

use crate::{kill, locks, paths, race};
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const JOB: &str = "INDELIBLE_TEST_JOB";
const REGION: &str = "INDELIBLE_TEST_REGION";
/// What a job prints when it has begun.
const BEGUN: &str = "begun";

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

/// Says that the job has come to its point.
pub fn begun() {
    println!("\n{BEGUN}");
}

/// A job under way.
pub struct Running {
    pub child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

/// Starts a job on the region at `path`, and waits until it says that it has begun.
#[track_caller]
pub fn begin(job: &str, path: &Path) -> Running {
    let mut child = Command::new(std::env::current_exe().expect("procfs"))
        .args(["--exact", "child::the_other_process", "--nocapture", "--test-threads=1"])
        .env(JOB, job)
        .env(REGION, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this binary runs");
    let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
    let begun = output.by_ref().map_while(|line| line.ok()).any(|line| line == BEGUN);
    assert!(begun, "the other process has failed");
    Running { child, output }
}

impl Running {
    /// Lets it go on to its end; whether it succeeded.
    pub fn end(mut self) -> bool {
        drop(self.child.stdin.take());
        self.output.for_each(drop);
        self.child.wait().expect("it is ours").success()
    }

    /// `SIGKILL`.
    pub fn kill(mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }
}

/// In the other process: waits until the parent lets it go on.
pub fn wait_for_the_end() {
    let _ = std::io::stdin().read_line(&mut String::new());
}
