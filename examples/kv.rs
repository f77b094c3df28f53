//! A small durable key-value program: what a command has answered survives a power failure.
//!
//! ```text
//! cargo run --release --example kv -- words.pm load /usr/share/dict/words
//! cargo run --release --example kv -- words.pm scan zebra
//! ```
//!
//! `load` remembers where it was in the same transactions that insert the lines. When it is killed, the same
//! command goes on behind the last line that is durable.

use indelible::collections::BTreeMap;
use indelible::medium::{self, Auto, Snapshot};
use indelible::{Committed, Options, Persistent, Region, Word};
use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, IsTerminal, Seek, Write};
use std::ops::Bound::{Included, Unbounded};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::Xxh3;

const USAGE: &str = "\
usage: kv [--allow-tmpfs] DB COMMAND

  set KEY VALUE   gives KEY this value
  get KEY         prints the value of KEY
  del KEY         removes KEY
  scan PREFIX     prints all keys that begin with PREFIX, a tab, and their values; '' for all
  load FILE       sets a key for each line: 'key<TAB>value', or the line with an empty value
  stat            prints what DB holds, and checks it

DB is a file, made by the first `set` or `load`. It is changed one transaction at a time, which is durable
when the command returns. Exit status: 0; 1 if KEY is not there, or something went wrong; 2 for a wrong call.
--allow-tmpfs lets DB lie in memory, where a power failure loses it.";

/// Lines in one transaction.
const BATCH: usize = 256;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The root.
#[derive(Persistent, Default)]
#[repr(C)]
struct Store {
    map: BTreeMap<str, str>,
    /// Where an unfinished `load` is: bytes of the file whose lines are in the map, and how many lines.
    bytes: Word<u64>,
    lines: Word<u64>,
    /// Of these bytes, so that it goes on in the same file only.
    checksum: Word<u64>,
}

fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let allow_tmpfs = args.first().is_some_and(|arg| arg == "--allow-tmpfs");
    args.drain(..usize::from(allow_tmpfs));
    let result = match &args[..] {
        [help] if help == "--help" || help == "-h" => usage(),
        [db, command @ ..] => run(db.as_ref(), allow_tmpfs, command),
        [] => Ok(None),
    };
    match result {
        Ok(Some(code)) => code,
        Ok(None) => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
        // Whoever reads the output has enough.
        Err(error)
            if error
                .downcast_ref()
                .is_some_and(|error: &io::Error| error.kind() == ErrorKind::BrokenPipe) =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("kv: {}", explain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn usage() -> Result<Option<ExitCode>> {
    writeln!(io::stdout(), "{USAGE}")?;
    Ok(Some(ExitCode::SUCCESS))
}

/// An error in the words of this program, where the crate's are for who writes one.
fn explain(error: &(dyn Error + 'static)) -> String {
    use indelible::Error::*;
    let (path, what) = match error.downcast_ref() {
        Some(NotFound { path }) => (path, "there is no such database; `set` and `load` make one"),
        Some(MemoryFileSystem { path, name: "tmpfs" }) => {
            (path, "tmpfs loses its files with the power; give --allow-tmpfs if that is what you want")
        }
        Some(ReadOnly { path }) => (path, "the file system is read-only"),
        Some(PermissionDenied { path }) => (path, "permission denied"),
        Some(Locked { path }) => (path, "another program has it open; try again when that has ended"),
        _ => return error.to_string(),
    };
    format!("{}: {what}", path.display())
}

/// Runs a command; `None` if it is none.
fn run(db: &Path, allow_tmpfs: bool, command: &[OsString]) -> Result<Option<ExitCode>> {
    let mut options = Options::new();
    if allow_tmpfs {
        options = options.allow_memory_file_system(medium::MemoryFileSystem::Tmpfs);
    }
    // Who only reads needs no right to write, and may do so beside others.
    // SAFETY: the user gives this file to this program alone.
    let look = || unsafe { options.open::<Store, Snapshot>(db) };
    // SAFETY: the same.
    let open = || unsafe { options.open::<Store, Auto>(db) };
    // SAFETY: the same.
    let create = || unsafe { options.open_or_create::<Store, Auto>(db, 1 << 20, Store::default) };
    if let [command, file] = command
        && command == "load"
    {
        load(&mut create()?, file.as_ref())?;
        return Ok(Some(ExitCode::SUCCESS));
    }
    let Some(command) = command.iter().map(|arg| arg.to_str()).collect::<Option<Vec<_>>>() else {
        return wrong("keys and values are UTF-8");
    };
    match command[..] {
        ["set", key, value] => {
            if key.contains(['\t', '\n', '\r']) || value.contains(['\n', '\r']) {
                return wrong("a key holds no tab, and neither a key nor a value a line break");
            }
            create()?.transact(|tx, store| store.map.insert(tx, key, value).map(drop))?;
        }
        ["get", key] => match look()?.root().map.get(&Committed, key) {
            Some(value) => writeln!(io::stdout(), "{value}")?,
            None => return Err(not_there(key)),
        },
        ["del", key] => {
            if !open()?.transact(|tx, store| Ok(store.map.remove(tx, key)?.is_some()))? {
                return Err(not_there(key));
            }
        }
        ["scan", prefix] => scan(&look()?, prefix)?,
        ["stat"] => stat(&look()?)?,
        _ => return Ok(None),
    }
    Ok(Some(ExitCode::SUCCESS))
}

/// A wrong call.
fn wrong(what: &str) -> Result<Option<ExitCode>> {
    eprintln!("kv: {what}");
    Ok(Some(ExitCode::from(2)))
}

fn not_there(key: &str) -> Box<dyn Error> {
    format!("no key {key:?}").into()
}

fn scan(store: &Region<Store, Snapshot>, prefix: &str) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let entries = store.root().map.range(&Committed, (Included(prefix), Unbounded));
    for (key, value) in entries.take_while(|(key, _)| key.starts_with(prefix)) {
        writeln!(out, "{key}\t{value}")?;
    }
    Ok(out.flush()?)
}

fn load(store: &mut Region<Store, Auto>, path: &Path) -> Result<()> {
    let named = |error: &dyn Error| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(|error| named(&error))?;
    let metadata = file.metadata().map_err(|error| named(&error))?;
    let len = metadata.len();
    let mut file = BufReader::new(file);
    // What was read of a pipe can't be read again.
    let mut place = None;
    if metadata.is_file() {
        place = resume(store.root(), &mut file).map_err(|error| named(&*error))?;
        if place.is_none() {
            file.rewind().map_err(|error| named(&error))?;
        }
    }
    let mut place = place.unwrap_or_default();
    if place.lines > 0 {
        eprintln!("going on behind line {}", place.lines);
    }

    let mut progress = Progress::new(len);
    let first = place.lines;
    let mut batch = Vec::new();
    loop {
        batch.clear();
        while batch.len() < BATCH {
            let mut line = String::new();
            match file.read_line(&mut line) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    let number = place.lines + batch.len() as u64 + 1;
                    return Err(format!("{}, line {number}: {error}", path.display()).into());
                }
            }
            place.bytes += line.len() as u64;
            place.hash.update(line.as_bytes());
            batch.push(line);
        }
        place.lines += batch.len() as u64;
        // The lines, and where to go on: both or neither. At the end there is nothing to go on with.
        let end = batch.is_empty();
        let (bytes, lines, checksum) =
            if end { (0, 0, 0) } else { (place.bytes, place.lines, place.hash.digest()) };
        store.transact(|tx, store| {
            for line in &batch {
                let line = line.strip_suffix('\n').unwrap_or(line);
                let line = line.strip_suffix('\r').unwrap_or(line);
                let (key, value) = line.split_once('\t').unwrap_or((line, ""));
                store.map.insert(tx, key, value)?;
            }
            tx.store(&store.bytes, bytes);
            tx.store(&store.lines, lines);
            tx.store(&store.checksum, checksum);
            Ok(())
        })?;
        if end {
            break;
        }
        progress.show(place.bytes, place.lines - first);
    }
    progress.finish(place.lines - first)
}

/// Where a load stands.
#[derive(Default)]
struct Progressed {
    bytes: u64,
    lines: u64,
    hash: Xxh3,
}

/// Where an unfinished load of this file stands, with the file read up to there; `None` if it was another
/// file's, or none.
fn resume(store: &Store, file: &mut impl BufRead) -> Result<Option<Progressed>> {
    let (bytes, lines) = (store.bytes.get(), store.lines.get());
    let mut place = Progressed { bytes: 0, lines, hash: Xxh3::new() };
    while place.bytes < bytes {
        let buffer = file.fill_buf()?;
        let part = buffer.len().min(usize::try_from(bytes - place.bytes)?);
        if part == 0 {
            return Ok(None);
        }
        place.hash.update(&buffer[..part]);
        place.bytes += part as u64;
        file.consume(part);
    }
    Ok((lines > 0 && place.hash.digest() == store.checksum.get()).then_some(place))
}

/// A bar on a terminal, and nothing elsewhere.
struct Progress {
    len: u64,
    start: Instant,
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    fn new(len: u64) -> Self {
        Progress { len, start: Instant::now(), shown: None, terminal: io::stderr().is_terminal() }
    }

    fn show(&mut self, bytes: u64, lines: u64) {
        if !self.terminal || self.shown.is_some_and(|at| at.elapsed() < Duration::from_millis(100)) {
            return;
        }
        self.shown = Some(Instant::now());
        let bar = "=".repeat((40 * bytes / self.len.max(1)).min(40) as usize);
        eprint!("\r[{bar:40}] {lines} lines, {:.0}/s ", self.rate(lines));
    }

    fn finish(&self, lines: u64) -> Result<()> {
        if self.shown.is_some() {
            eprint!("\r{:79}\r", "");
        }
        Ok(writeln!(io::stdout(), "{lines} lines loaded, {:.0} lines/s", self.rate(lines))?)
    }

    fn rate(&self, lines: u64) -> f64 {
        lines as f64 / self.start.elapsed().as_secs_f64().max(1e-9)
    }
}

fn stat(store: &Region<Store, Snapshot>) -> Result<()> {
    let root = store.root();
    let keys = root.map.len(&Committed);
    let mut counted = 0;
    let mut last: Option<&str> = None;
    for (key, value) in root.map.iter(&Committed) {
        if last.is_some_and(|last| last >= key) || root.map.get(&Committed, key) != Some(value) {
            return Err(format!("the key {key:?} is not where it belongs").into());
        }
        last = Some(key);
        counted += 1;
    }
    if counted != keys {
        return Err(format!("{counted} keys in order, and {keys} in the leaves").into());
    }
    let usage = store.usage()?;
    let mut out = io::stdout().lock();
    writeln!(out, "{keys} keys")?;
    writeln!(
        out,
        "{} objects in {} bytes, in a file of {}",
        usage.objects, usage.object_bytes, usage.region_bytes
    )?;
    if root.lines.get() > 0 {
        writeln!(out, "an unfinished load, {} lines of it are in", root.lines.get())?;
    }
    if store.was_recovered() {
        writeln!(out, "recovered: the program before this one was stopped, or the power failed")?;
    }
    Ok(writeln!(out, "all is where it belongs")?)
}
