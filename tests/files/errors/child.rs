//! Cases that need another process: another user, a limit, a mount of its own, somebody who holds the lock.
//!
//! The other process is this test binary again, with one test that does nothing when it is run by itself.

use crate::support::{Folder, note};
use crate::{access, lock, settings, snapshot, space};
use indelible_test_support::process::{self, Running};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

const JOB: &str = "INDELIBLE_TEST_JOB";
/// The variable that holds the job's folder.
pub const FOLDER: &str = "INDELIBLE_TEST_FOLDER";
const REPORT: &str = "snapshot:";
/// Somebody who is not root.
pub const NOBODY: u32 = 65534;

#[test]
fn the_other_process() {
    let (Some(job), Some(folder)) = (std::env::var_os(JOB), std::env::var_os(FOLDER)) else { return };
    let folder = Folder::at(folder.into());
    match job.to_str().unwrap_or_default() {
        "hold the lock" => lock::hold(&folder),
        "open without permission" => access::as_nobody(&folder),
        "open on a read-only file system" => access::read_only(&folder),
        "open without fallocate" => space::without_fallocate(&folder),
        "create without procfs" => space::without_procfs(&folder),
        "fill the disk" => space::fill_the_disk(&folder),
        "meet the limit on files" => space::meet_the_limit_on_files(&folder),
        "meet the limit on open files" => space::meet_the_limit_on_open_files(&folder),
        "meet the limit on address space" => settings::meet_the_limit_on_address_space(&folder),
        "grow without address space" => space::grow_without_address_space(&folder),
        "grow without memory" => space::grow_without_memory(&folder),
        other => panic!("no such job: {other}"),
    }
}

pub fn is_child() -> bool {
    std::env::var_os(JOB).is_some()
}

/// For the parent's snapshot.
pub fn report(case: &str, body: &str) {
    println!("\n{REPORT}{case}\t{}", body.replace('\n', "\t"));
}

/// Whether this process may do what others may not.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

fn command(program: &str, job: &str, folder: &Folder) -> Command {
    let mut command = Command::new(program);
    command.env(JOB, job).env(FOLDER, folder.path()).stdin(Stdio::null());
    command
}

/// The one test that a child runs.
const TEST: &str = "child::the_other_process";

/// Runs a job as another user. Only root can.
#[track_caller]
pub fn run_as(user: u32, job: &str, folder: &Folder) {
    // Through procfs, because the user may not have access to the folders above the binary.
    let mut command = command("/proc/self/exe", job, folder);
    command.uid(user).gid(user);
    finish(command.args(process::arguments(TEST)));
}

/// Runs a job after a line of shell, in a mount namespace of its own if the line is to mount something.
#[track_caller]
pub fn run_after(line: &str, namespace: bool, job: &str, folder: &Folder) {
    let mut command = shell(&format!("{line} && exec \"$0\" \"$@\""), namespace, job, folder);
    finish(command.arg(std::env::current_exe().expect("procfs")).args(process::arguments(TEST)));
}

/// Whether this machine lets the line run; what it says where it does not.
pub fn can_run(line: &str, namespace: bool, folder: &Folder) -> Result<(), String> {
    match shell(line, namespace, "none", folder).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// [`run_after`] where the machine lets the line run, and a note of whether it did.
#[track_caller]
pub fn run_if_possible(what: &str, line: &str, job: &str, folder: &Folder) {
    match can_run(line, true, folder) {
        Ok(()) => {
            run_after(line, true, job, folder);
            note(&format!("run, \"{job}\" on {what}"));
        }
        Err(reason) => note(&format!("not run, \"{job}\" on {what}: {reason}")),
    }
}

fn shell(line: &str, namespace: bool, job: &str, folder: &Folder) -> Command {
    let mut command = command(if namespace { "unshare" } else { "sh" }, job, folder);
    if namespace {
        // Who is not root gets to be it in a user namespace, where the machine allows that.
        command.args(if is_root() { ["-m", "sh"] } else { ["-rm", "sh"] });
    }
    command.args(["-c", line]);
    command
}

/// Starts a job and waits until it has begun.
#[track_caller]
pub fn begin(job: &str, folder: &Folder) -> Running {
    process::begin(process::this_test(TEST).env(JOB, job).env(FOLDER, folder.path()))
}

#[track_caller]
fn finish(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "the other process failed ({}): {text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    for line in text.lines() {
        if let Some((case, body)) = line.strip_prefix(REPORT).and_then(|line| line.split_once('\t')) {
            snapshot::compare(case, &body.replace('\t', "\n"));
        }
    }
}
