//! Every system call of every scenario, failing with each error that it may give, and with a kill there.

use crate::act::{Act, Before, RECORD, SCENARIOS, Scenario, region};
use crate::bank::{self, OLD, State};
use crate::process::names;
use crate::trace::{self, Call};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// strace runs at a time.
const WORKERS: usize = 2;
const SIGKILL: i32 = 9;

/// The errors of each call.
type Errnos = HashMap<String, Vec<String>>;

/// One run: this call fails so.
struct Job<'a> {
    scenario: &'a Scenario,
    call: Call,
    /// `None`: the process is killed there.
    errno: Option<String>,
    injections: Vec<String>,
}

/// What a run came to; `Err` says what is wrong with it.
type Outcome = Result<String, String>;

pub fn run(errnos: &Path, work: &Path, only: &[&str]) -> Result<(), String> {
    let text = std::fs::read_to_string(errnos).map_err(|error| format!("{}: {error}", errnos.display()))?;
    let errnos: Errnos = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().map(str::to_string).collect::<Vec<_>>())
        .filter_map(|words| Some((words.first()?.clone(), words[2..].to_vec())))
        .collect();
    fixtures(work)?;

    let (mut jobs, mut wrong) = (Vec::new(), Vec::new());
    for scenario in SCENARIOS.iter().filter(|one| only.is_empty() || only.contains(&one.name)) {
        plan(scenario, &errnos, work, &mut jobs, &mut wrong)?;
    }
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (jobs, next, outcomes) = (&jobs, &next, &outcomes);
            scope.spawn(move || {
                while let Some((at, job)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    jobs.get(at).map(|job| (at, job))
                } {
                    let outcome = try_out(job, work, worker);
                    outcomes.lock().expect("no worker panics").insert(at, outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().expect("no worker panics");
    wrong.extend(print(&jobs, &outcomes, work)?);
    println!("{} runs, {} wrong", jobs.len(), wrong.len());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\nwrong: ")) }
}

/// What the scenarios begin with.
fn fixtures(work: &Path) -> Result<(), String> {
    for (name, closed) in [("closed", true), ("unclosed", false)] {
        let mut bank = bank::fixture(&work.join(name)).map_err(|error| error.to_string())?;
        if closed {
            bank.close().map_err(|error| error.to_string())?;
        } else {
            bank::write_pair(&mut bank, RECORD.words[0]).map_err(|error| error.to_string())?;
            // As a killed process leaves it: the record is there. A copy of the file has no lock.
            let copy = work.join("copy");
            std::fs::copy(work.join(name), &copy).map_err(|error| error.to_string())?;
            drop(bank);
            std::fs::rename(&copy, work.join(name)).map_err(|error| error.to_string())?;
        }
    }
    bank::older_fixture(&work.join("older")).map_err(|error| error.to_string())
}

/// An empty folder with what the scenario begins with.
fn prepare(scenario: &Scenario, work: &Path, folder: &Path) -> Result<(), String> {
    let _ = std::fs::remove_dir_all(folder);
    let io = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir(folder).map_err(io)?;
    match scenario.before {
        None => Ok(()),
        Some(before) => {
            let from = work.join(match before {
                Before::Closed => "closed",
                Before::Unclosed => "unclosed",
                Before::Older => "older",
            });
            std::fs::copy(from, region(folder)).map(drop).map_err(io)
        }
    }
}

/// Traces the scenario, and plans a run for each way that it may fail.
fn plan<'a>(
    scenario: &'a Scenario,
    errnos: &Errnos,
    work: &Path,
    jobs: &mut Vec<Job<'a>>,
    wrong: &mut Vec<String>,
) -> Result<(), String> {
    let folder = work.join("f0");
    let log = work.join(format!("{}.strace", scenario.name));
    let trace = |injections: &[String]| {
        prepare(scenario, work, &folder)?;
        let run = trace::run(scenario.name, &folder, &log, injections)?;
        match run.code {
            Some(0) => Ok(run),
            _ => Err(format!("{} fails by itself: {}", scenario.name, run.stdout)),
        }
    };
    let mut run = trace(&[])?;
    let mut always = Vec::new();
    if let Some((name, errno)) = scenario.always {
        // Of those that open, the one that makes a file without a name.
        let is_it = |call: &&Call| call.name == name && (name != "openat" || call.label.ends_with("unnamed"));
        let call = run.calls.iter().find(is_it).ok_or("a call that is not made")?;
        always.push(format!("{name}:error={errno}:when={}", call.nth));
        run = trace(&always)?;
    }
    if let Some(missing) = out_of_order(scenario, &run.calls) {
        wrong.push(format!("{}: no {missing} where a power failure needs one", scenario.name));
    }
    let before = jobs.len();
    for call in &run.calls {
        let at = |what: String| {
            let mut injections = always.clone();
            injections.push(format!("{}:{what}:when={}", call.name, call.nth));
            injections
        };
        if scenario.always.is_some_and(|(name, _)| name == call.name) {
            continue; // strace takes one injection for each call
        }
        let Some(list) = errnos.get(&call.name) else {
            wrong.push(format!("{}: {} has no line in tests/faults/errnos", scenario.name, call.name));
            continue;
        };
        // Who migrates is killed at each call; what its calls may answer is what those of the others may.
        let list = list.iter().filter(|_| scenario.before != Some(Before::Older));
        // Without getrandom std opens a device: then the call that is always refused would be that one.
        let shifts = |errno: &str| (call.name.as_str(), errno) == ("getrandom", "ENOSYS");
        let list =
            list.filter(|errno| scenario.always.is_none_or(|(name, _)| name != "openat") || !shifts(errno));
        for errno in list {
            let injections = at(format!("error={errno}"));
            jobs.push(Job { scenario, call: call.clone(), errno: Some(errno.clone()), injections });
        }
        jobs.push(Job {
            scenario,
            call: call.clone(),
            errno: None,
            injections: at("signal=KILL".to_string()),
        });
    }
    println!(
        "{}: {} calls, and {} of the memory allocator's; {} runs",
        scenario.name,
        run.calls.len(),
        run.allocator,
        jobs.len() - before
    );
    Ok(())
}

/// The first call that is not made behind those before it, of those without which a power failure would take away
/// what the caller was told is there.
fn out_of_order(scenario: &Scenario, calls: &[Call]) -> Option<&'static str> {
    let order: &[&str] = match scenario.name {
        "create" | "open_or_create-missing" => &["msync", "fsync", "linkat", "fsync"],
        "create-by-temporary-name" => &["msync", "fsync", "rename", "fsync"],
        "open" | "open_or_create-there" => &["fsync", "msync"],
        "open-unclosed" => &["fsync", "fadvise", "msync"],
        "grow" => &["fallocate", "fsync", "msync"],
        "migrate" => &["fsync", "msync", "fsync", "linkat", "rename", "fsync"],
        "migrate-and-keep" => &["fsync", "msync", "fsync", "linkat", "fsync", "linkat", "rename", "fsync"],
        "drop" => &[],
        _ => &["msync"],
    };
    let mut calls = calls.iter();
    order.iter().find(|wanted| !calls.any(|call| call.name.starts_with(**wanted))).copied()
}

fn try_out(job: &Job, work: &Path, worker: usize) -> Outcome {
    let folder = work.join(format!("w{worker}"));
    let log = work.join(format!("w{worker}.strace"));
    prepare(job.scenario, work, &folder)?;
    let run = trace::run(job.scenario.name, &folder, &log, &job.injections)?;
    match &job.errno {
        Some(errno) => failed(job, errno, &run, &folder),
        None => killed(job, &run, &folder),
    }
}

/// Judges a run in which a call failed.
fn failed(job: &Job, errno: &str, run: &trace::Run, folder: &Path) -> Outcome {
    if let Some(wrong) = run.stdout.lines().find_map(|line| line.strip_prefix("wrong: ")) {
        return Err(wrong.to_string());
    }
    match (run.code, run.signal) {
        (Some(0), _) => {}
        (Some(124 | 137), _) => return Err("it hangs".to_string()),
        (Some(101), _) => return Err("it panics".to_string()),
        (code, signal) => return Err(format!("it ends with code {code:?}, signal {signal:?}")),
    }
    if !run.calls.iter().any(|call| call.injected && (&call.name, call.nth) == (&job.call.name, job.call.nth))
    {
        return Err("the call was not made in this run".to_string());
    }
    // strace doesn't let the call happen: what it would have given back is kept.
    // And where a mapping could not be moved, nobody can say whose the place is that it was for.
    let kept = matches!(job.call.name.as_str(), "close" | "munmap" | "mremap");
    if let Some(left) = run.stdout.lines().find_map(|line| line.strip_prefix("left: "))
        && !kept
    {
        return Err(format!("left behind: {left}"));
    }
    let (outcome, then) = run
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("outcome: ")?.split_once("; then "))
        .ok_or("no outcome")?;
    may_be(job, errno, outcome)?;
    let (old, new) = job.scenario.states();
    let expected = if then == "old" { old } else { Some(new) };
    let found = look(&region(folder))?;
    if found != expected {
        return Err(format!("{outcome}, and the region holds {found:?}"));
    }
    Ok(outcome.to_string())
}

/// Whether the library may answer so.
fn may_be(job: &Job, errno: &str, outcome: &str) -> Result<(), String> {
    let (call, label) = (job.call.name.as_str(), job.call.label.as_str());
    let creates = job.scenario.name.starts_with("create") || job.scenario.name == "open_or_create-missing";
    // What gives back can't fail in a way that anybody could act on; a drop can't say so.
    let gives_back = matches!((call, label), ("close" | "munmap", _) | ("flock", "unlock"));
    let must_be_ok = errno == "EINTR" || gives_back || matches!(job.scenario.act, Act::Drop);
    let may_be_ok = match call {
        // What sysfs doesn't say of the memory's health refuses nothing; without a domain MapSync refuses.
        _ if label.starts_with("sys") => true,
        "getdents64" => true,
        // Another way is taken.
        "open" | "openat" if label.ends_with("unnamed") => {
            matches!(errno, "EOPNOTSUPP" | "EISDIR" | "EINVAL")
        }
        "open" | "openat" if label == "region" => {
            (job.scenario.name.starts_with("open_or_create") && errno == "ENOENT")
                || (job.scenario.name == "open_or_create-missing" && errno == "ENXIO")
        }
        // It looks why there is no file.
        "readlink" | "readlinkat" => creates,
        // A file system that shares no blocks.
        "fallocate" if label == "unshare" => matches!(errno, "EOPNOTSUPP"),
        // Where the file system does not tell what is missing, all of it is asked for.
        "ioctl" => matches!(errno, "EINVAL" | "ENOTTY" | "EOPNOTSUPP"),
        // It grows by less than it would like to.
        "fallocate" => matches!(errno, "ENOSPC" | "EDQUOT" | "EFBIG") && job.scenario.name == "grow",
        // What could not be extended is cut to its old length; a longer file would be right too.
        "ftruncate" => true,
        // It asks whether the name is free; `linkat` decides.
        "statx" | "newfstatat" | "lstat" | "stat" if creates => true,
        // The name was another's for a moment, and the file is opened again.
        "newfstatat" | "stat" => label == "region" && errno == "ENOENT",
        // The standard library has another source of randomness.
        "getrandom" => errno == "ENOSYS",
        _ => false,
    };
    let syncs = matches!(call, "fsync" | "msync") && matches!(job.scenario.act, Act::Change(..) | Act::Close);
    match outcome {
        // Only where the reservation may have a hole now.
        _ if outcome.ends_with(" until it is reopened") && call != "mremap" => {
            Err("it does not grow any more".to_string())
        }
        "ok" if must_be_ok || may_be_ok => Ok(()),
        "ok" => Err("it succeeds although the call failed".to_string()),
        _ if must_be_ok => Err(format!("{outcome}, where nothing had to fail")),
        "Poisoned" | "OutcomeUnknown" if syncs => Ok(()),
        _ if syncs => Err(format!("{outcome} after a failed sync")),
        "Poisoned" if matches!(job.scenario.act, Act::Change(..)) => Err("poisoned for nothing".to_string()),
        // In a migration transactions run on the new region.
        "Poisoned"
            if matches!(job.scenario.act, Act::Open(..)) && !job.scenario.name.starts_with("migrate") =>
        {
            Err("poisoned, and there is no region to close".to_string())
        }
        _ => Ok(()),
    }
}

/// Judges a run that was killed.
fn killed(job: &Job, run: &trace::Run, folder: &Path) -> Outcome {
    if run.signal != Some(SIGKILL) && run.code != Some(128 + SIGKILL) {
        return Err(format!("it was not killed: code {:?}, signal {:?}", run.code, run.signal));
    }
    let (old, new) = job.scenario.states();
    let mut there = names(folder);
    there.retain(|name| name != "region" && name != bank::KEPT);
    let migrates = job.scenario.before == Some(Before::Older);
    let temporary = match there.as_slice() {
        [] => "",
        [name] if name.starts_with('.') && (migrates || job.scenario.always.is_some()) => {
            " and a temporary file"
        }
        // The new file, and the way back to the old one.
        [one, other] if migrates && one.starts_with('.') && other.starts_with('.') => {
            " and two temporary files"
        }
        names => return Err(format!("names afterwards: {names:?}")),
    };
    let found = look(&region(folder))?;
    if migrates {
        again(job.scenario, folder)?;
    }
    let found = if found.is_none() && old.is_none() {
        // What is left is in nobody's way.
        bank::create(&region(folder), bank::LEN)
            .and_then(bank::Bank::close)
            .map_err(|error| format!("it can't be made again: {error}"))?;
        "nothing"
    } else if found == Some(new) && old != Some(new) {
        "new"
    } else if found.is_some() && found == old {
        "old"
    } else {
        return Err(format!("the region holds {found:?}"));
    };
    Ok(format!("{found}{temporary}"))
}

/// A migration that was killed is made again, and leaves nothing beside the region and what is to be kept.
fn again(scenario: &Scenario, folder: &Path) -> Result<(), String> {
    let (Act::Open(migrate, after), path) = (&scenario.act, region(folder)) else { return Ok(()) };
    let bank = migrate(&path).map_err(|error| format!("it does not go on: {error}"))?;
    let found = bank::state(&bank)?;
    bank.close().map_err(|error| format!("it does not close: {error}"))?;
    let kept = folder.join(bank::KEPT);
    if kept.exists() && bank::older_state(&kept).map_err(|error| format!("what was kept: {error}"))? != OLD {
        return Err("what was kept is not what was there".to_string());
    }
    let mut there = names(folder);
    there.retain(|name| name != bank::KEPT);
    match found == *after && there == ["region"] {
        true => Ok(()),
        false => Err(format!("made again, it holds {found:?}, beside {there:?}")),
    }
}

/// The state of a region that nobody has open.
fn look(path: &Path) -> Result<Option<State>, String> {
    let bank = match bank::open(path) {
        Ok(bank) => bank,
        Err(indelible::Error::NotFound { .. }) => return Ok(None),
        Err(indelible::Error::SchemaMismatch { .. }) => {
            return bank::older_state(path).map(Some).map_err(|error| format!("the older type: {error}"));
        }
        Err(error) => return Err(format!("it does not open again: {error}")),
    };
    let state = bank::state(&bank)?;
    if state.history == OLD.history && state.words[0] != state.words[1] {
        return Err(format!("half of a transaction: {state:?}"));
    }
    bank.close().map_err(|error| format!("it does not close: {error}"))?;
    Ok(Some(state))
}

/// Prints the tables, and answers what is wrong.
fn print(jobs: &[Job], outcomes: &BTreeMap<usize, Outcome>, work: &Path) -> Result<Vec<String>, String> {
    let (mut text, mut wrong) = (String::new(), Vec::new());
    let (mut scenario, mut at) = ("", 0);
    while let Some(job) = jobs.get(at) {
        if job.scenario.name != scenario {
            scenario = job.scenario.name;
            let _ = writeln!(text, "\n{scenario}");
        }
        let mut by_outcome: Vec<(String, Vec<&str>)> = Vec::new();
        let mut kill = String::new();
        let call = &job.call;
        while let Some(job) = jobs.get(at).filter(|job| job.scenario.name == scenario && job.call == *call) {
            let outcome = match outcomes.get(&at) {
                Some(Ok(outcome)) => outcome.clone(),
                Some(Err(error)) => {
                    let what = job.errno.as_deref().unwrap_or("SIGKILL");
                    wrong.push(format!("{scenario}, {} {} {what}: {error}", call.name, call.label));
                    "WRONG".to_string()
                }
                None => "NOT RUN".to_string(),
            };
            match &job.errno {
                None => kill = outcome,
                Some(errno) => match by_outcome.iter_mut().find(|(one, _)| *one == outcome) {
                    Some((_, errnos)) => errnos.push(errno),
                    None => by_outcome.push((outcome, vec![errno])),
                },
            }
            at += 1;
        }
        let cells: Vec<String> =
            by_outcome.iter().map(|(outcome, errnos)| format!("{outcome}: {}", errnos.join(" "))).collect();
        let _ = writeln!(text, "  {:<28} {}", format!("{} {}", call.name, call.label), cells.join("; "));
        let _ = writeln!(text, "  {:<28} SIGKILL: {kill}", "");
    }
    print!("{text}");
    let path = work.join("../table.txt");
    std::fs::write(&path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(wrong)
}
