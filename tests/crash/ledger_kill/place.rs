//! A folder with an input and a ledger, and the example as a child process in it.

use crate::Ledger;
use indelible::medium::{Auto, MemoryFileSystem};
use indelible::{Options, Region};
use indelible_test_support::{chance::Chance, example::example, folder};
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc;
use tempfile::TempDir;

const SIGKILL: i32 = 9;

/// A folder with a CSV file and a ledger.
pub struct Place {
    folder: TempDir,
    pub csv: PathBuf,
    pub region: PathBuf,
    /// The binary logarithm of the time for some rows, in spins of a loop: about.
    spins: usize,
}

/// One run of the example that was killed, unless it was over before.
pub struct Run {
    pub killed: bool,
    /// Rows that it acknowledged.
    pub rows: Vec<usize>,
}

impl Place {
    pub fn on_disk() -> Self {
        Self::of(folder::inside(env!("CARGO_TARGET_TMPDIR")), 17)
    }

    pub fn in_memory() -> Self {
        tempfile::tempdir_in("/dev/shm").map_or_else(|_| Self::on_disk(), |folder| Self::of(folder, 11))
    }

    fn of(folder: TempDir, spins: usize) -> Self {
        let (csv, region) = (folder.path().join("transfers.csv"), folder.path().join("ledger.pm"));
        Place { folder, csv, region, spins }
    }

    fn command(&self, region: &Path, options: &[&str]) -> Command {
        let mut command = ledger(region, options);
        command.arg("--allow-tmpfs").arg(&self.csv);
        command
    }

    pub fn try_import(&self) -> Output {
        output(self.command(&self.region, &[]))
    }

    pub fn import(&self) {
        let output = self.try_import();
        assert!(output.status.success(), "{output:?}");
    }

    /// Starts an import and kills it a moment after it acknowledged so many rows.
    pub fn run_and_kill(&self, acknowledgements: usize, chance: &mut Chance) -> Run {
        // A socket holds fewer unread lines than a pipe: however slow this process is, the child soon waits.
        let (ours, childs) = UnixStream::pair().expect("two ends");
        let mut command = self.command(&self.region, &["--acknowledge"]);
        let mut child = command.stdout(OwnedFd::from(childs)).spawn().expect("the example starts");
        drop(command); // and with it our copy of the child's end
        let mut lines = BufReader::new(ours);
        let mut rows: Vec<usize> = vec![];
        // From next to nothing to some rows' time, or to what it takes to start and create or open.
        let limit = if acknowledgements == 0 { 1 << 16 } else { 1 << chance.below(self.spins) };
        let spins = chance.below(limit);
        std::thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let child = &mut child;
            // A thread of its own: this one has often just taken the CPU from the child, in its `write`.
            scope.spawn(move || {
                let _ = told.recv(); // an error if the import is over
                (0..spins).for_each(|_| std::hint::spin_loop());
                child.kill().expect("killed, or over already");
            });
            let mut line = String::new();
            loop {
                if rows.len() == acknowledgements {
                    let _ = tell.send(());
                }
                line.clear();
                if lines.read_line(&mut line).expect("UTF-8") == 0 {
                    break;
                }
                rows.extend(line.strip_suffix('\n').and_then(|row| row.parse::<usize>().ok()));
            }
        });
        let status = child.wait().expect("waited for");
        let killed = status.signal() == Some(SIGKILL);
        assert!(killed || status.success(), "the example says why above: {status}");
        Run { killed, rows }
    }

    pub fn try_check(&self) -> Output {
        output(self.command(&self.region, &["--check"]))
    }

    /// Rows in the ledger, which must be what their part of the file gives.
    pub fn check(&self) -> usize {
        checked_rows(&self.try_check())
    }

    /// The same; 0 if the kill came before there was a ledger.
    pub fn check_if_any(&self) -> usize {
        if self.region.exists() { self.check() } else { 0 }
    }

    /// The same for a copy, so that the ledger stays as the kill left it.
    pub fn check_copy(&self) -> usize {
        checked_rows(&output(self.command(&self.copy(), &["--check"])))
    }

    /// Where [`Place::open_copy`] has it.
    pub fn copy_path(&self) -> PathBuf {
        self.folder.path().join("copy.pm")
    }

    fn copy(&self) -> PathBuf {
        let copy = self.copy_path();
        let _ = std::fs::remove_file(&copy); // if there is an earlier one
        std::fs::copy(&self.region, &copy).expect("copied");
        copy
    }

    pub fn size(&self) -> Option<u64> {
        self.region.metadata().ok().map(|metadata| metadata.len())
    }

    /// A copy, because a child that another test is just starting may hold the lock of a file that was open
    /// in this process for longer than the `Region` does.
    pub fn open_copy(&self) -> Region<Ledger, Auto> {
        let options = Options::new().allow_memory_file_system(MemoryFileSystem::Tmpfs);
        // SAFETY: the folder is this test's own, and the copy no child's.
        unsafe { options.open(self.copy()) }.expect("the copy opens")
    }
}

fn checked_rows(output: &Output) -> usize {
    assert!(output.status.success(), "{output:?}");
    let rows = stdout(output).lines().find_map(|line| line.strip_prefix("rows imported now: 0, in all: "));
    rows.and_then(|rows| rows.parse().ok()).unwrap_or_else(|| panic!("no number of rows: {output:?}"))
}

/// The example with these arguments.
pub fn ledger(region: &Path, options: &[&str]) -> Command {
    let mut command = example("ledger");
    command.arg("--region").arg(region).args(options);
    command
}

pub fn output(mut command: Command) -> Output {
    command.output().expect("the example starts")
}

pub fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).expect("UTF-8")
}

pub fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).expect("UTF-8")
}
