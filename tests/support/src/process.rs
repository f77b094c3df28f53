//! Other processes: the test binary again, with one of its tests, which does nothing when it is run by itself.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

/// What a job prints when it has begun.
const BEGUN: &str = "begun";

/// How a test binary runs one test, and shows what it prints.
pub fn arguments(test: &str) -> [&str; 4] {
    ["--exact", test, "--nocapture", "--test-threads=1"]
}

/// This binary, with this test.
pub fn this_test(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("procfs"));
    command.args(arguments(test));
    command
}

/// In the other process: says that the job has come to its point.
pub fn begun() {
    println!("\n{BEGUN}");
}

/// In the other process: waits until the parent lets it go on.
pub fn wait_for_the_end() {
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// A job under way, which goes on until its standard input ends.
pub struct Running {
    pub child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

/// Starts a job and waits until it has [`begun`].
#[track_caller]
pub fn begin(command: &mut Command) -> Running {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("this binary runs");
    let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
    let begun = output.by_ref().map_while(|line| line.ok()).any(|line| line == BEGUN);
    assert!(begun, "the other process has failed");
    Running { child, output }
}

impl Running {
    /// Lets it go on to its end; whether it succeeded.
    #[must_use]
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
