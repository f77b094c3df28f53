//! Runs under strace, and what the library asked of the kernel between the markers.

use crate::act::{BEGIN, END};
use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

/// One system call of the library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    /// The how many-th of that name in the whole process, from 1.
    pub nth: usize,
    /// What tells it from others of its name.
    pub label: String,
    pub injected: bool,
}

/// How a run ended.
pub struct Run {
    pub calls: Vec<Call>,
    /// Calls between the markers that are the memory allocator's.
    pub allocator: usize,
    pub stdout: String,
    pub signal: Option<i32>,
    pub code: Option<i32>,
}

/// Runs a scenario with these injections.
pub fn run(scenario: &str, folder: &Path, log: &Path, injections: &[String]) -> Result<Run, String> {
    let me = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new("timeout");
    command.args(["-k", "5", "60", "strace", "-f", "-s", "256", "-o"]).arg(log);
    for injection in injections {
        command.arg("-e").arg(format!("inject={injection}"));
    }
    command.arg("-e").arg("trace=all").arg(me).arg("act").arg(scenario).arg(folder);
    let output = command.output().map_err(|error| format!("timeout strace: {error}"))?;
    let log = std::fs::read(log).map_err(|error| format!("{}: {error}", log.display()))?;
    let (calls, allocator) = parse(&String::from_utf8_lossy(&log), &folder.display().to_string());
    Ok(Run {
        calls,
        allocator,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        signal: output.status.signal(),
        code: output.status.code(),
    })
}

fn parse(log: &str, folder: &str) -> (Vec<Call>, usize) {
    let (mut seen, mut calls, mut allocator) = (HashMap::<&str, usize>::new(), Vec::new(), 0);
    let mut allocated = Vec::new();
    let mut inside = false;
    for line in log.lines() {
        let line = line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        let Some((name, args)) = line.split_once('(') else { continue };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            continue;
        }
        let nth = seen.entry(name).or_default();
        *nth += 1;
        if args.contains(BEGIN) || args.contains(END) {
            inside = args.contains(BEGIN);
            continue;
        }
        if !inside {
            continue;
        }
        let args = args.replace(folder, "");
        // Memory that Rust's allocator asks for: where there is none, the process is aborted.
        let its_own = match name {
            "brk" => true,
            "mmap" => args.starts_with("NULL,") && args.contains("PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1"),
            "munmap" => allocated.iter().any(|address: &String| args.starts_with(&format!("{address},"))),
            _ => false,
        };
        if its_own {
            allocator += 1;
            allocated.extend(args.rsplit_once("= ").map(|(_, address)| address.to_string()));
            continue;
        }
        let injected = args.contains("(INJECTED)");
        calls.push(Call { name: name.to_string(), nth: *nth, label: label(name, &args), injected });
    }
    (calls, allocator)
}

fn label(name: &str, args: &str) -> String {
    let path = args.split('"').nth(1).map(|path| match path {
        "" | "." => "folder".to_string(),
        path if path.trim_start_matches('/').starts_with('.') => "temporary".to_string(),
        path => path.trim_start_matches('/').to_string(),
    });
    let flag = |flags: &[(&str, &str)]| {
        flags.iter().find(|(flag, _)| args.contains(flag)).map_or(String::new(), |(_, text)| text.to_string())
    };
    match name {
        "open" | "openat" => {
            path.unwrap_or_default() + &flag(&[("O_TMPFILE", " unnamed"), ("O_CREAT", " new")])
        }
        "flock" => flag(&[("LOCK_UN", "unlock"), ("LOCK_EX", "lock"), ("LOCK_SH", "share")]),
        "mmap" => flag(&[("PROT_NONE", "reserve"), ("MAP_ANONYMOUS", "anonymous"), ("MAP_", "file")]),
        "fallocate" => flag(&[("UNSHARE", "unshare")]),
        "madvise" => flag(&[("MADV_DONTFORK", "dontfork"), ("MADV_", "other")]),
        "linkat" | "renameat2" | "getrandom" => String::new(),
        _ => path.unwrap_or_default(),
    }
}
