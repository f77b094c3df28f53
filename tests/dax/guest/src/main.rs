//! What `tests/dax/run` runs inside its virtual machines: one cell of the matrix, and what it takes to begin
//! again on a device.
//!
//! ```text
//! dax-guest region WHAT PATH [assume=memory_controller|cpu_cache] [allow=tmpfs]
//! dax-guest wipe DEVICE
//! dax-guest migrate LEDGER          # to another root type, or back
//! dax-guest back LEDGER             # back, if it was migrated
//! ```
//!
//! `WHAT` is a medium: a region is made on it, used, opened again and compared. Or it is one of these, with a
//! region on `Auto`: `Locked`, opened a second time here and in another process; `Health`, what is known of the
//! memory, and a deep flush; `Counts`, the flushes and fences of a transaction that publishes 1,000 bytes and
//! changes a word, counted by single steps. It prints one line: `opened MEDIUM DOMAIN INSTRUCTION`,
//! `refused VARIANT message`, what was found, or `wrong message`.

#[cfg(target_arch = "x86_64")]
mod count;
mod migrate;

use indelible::medium::{
    Auto, FileMedium, MapSync, MemoryFileSystem, PageCache, PersistenceDomain, Writable,
};
use indelible::{Error, Link, Options, Persistent, Region, Word};
use rustix::mm::{MapFlags, ProtFlags};
use std::fs::File;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::{Command, ExitCode};

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    bytes: Link<[u8]>,
    nodes: Link<Node>,
    count: Word<u64>,
}

#[derive(Persistent, Default)]
#[repr(C)]
struct Node {
    number: u64,
    next: Link<Node>,
}

/// What a medium says of itself: its name, the persistence domain, the flush instruction.
trait Describe: FileMedium + Writable {
    fn describe(&self) -> String;
}

impl Describe for MapSync {
    fn describe(&self) -> String {
        format!("MapSync {:?} {}", self.persistence_domain(), self.flush_instruction().name())
    }
}

impl Describe for PageCache {
    fn describe(&self) -> String {
        "PageCache - -".to_string()
    }
}

impl Describe for Auto {
    fn describe(&self) -> String {
        match self {
            Auto::MapSync(medium) => medium.describe(),
            Auto::PageCache(medium) => medium.describe(),
        }
    }
}

/// Bytes of a new region: less than what is put in, so that a file has to grow.
const LEN: u64 = 64 << 10;
const NODES: u64 = 200;

fn bytes(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 31 + index / 251 + seed) as u8).collect()
}

/// Makes a region, changes it in each way that there is, and reads it back after opening it again.
fn region<M: Describe>(path: &Path, options: &Options) -> Result<String, String> {
    let refused =
        |error: Error| format!("refused {} {}", variant(&error), error.to_string().replace('\n', " "));
    // SAFETY: nothing else in this machine uses the file or device.
    let mut region: Region<Root, M> = match unsafe { options.create(path, LEN, Root::default()) } {
        Ok(region) => region,
        Err(error) => return Ok(refused(error)),
    };
    let described = region.medium().describe();
    let (first, second) = (bytes(200_000, 1), bytes(300_001, 2));
    use_it(&mut region, &first, &second).map_err(|error| format!("in use: {error:?}"))?;
    drop(region);

    // SAFETY: as above.
    let region: Region<Root, M> =
        unsafe { options.open(path) }.map_err(|error| format!("opened again: {error:?}"))?;
    let root = region.root();
    let mut nodes = vec![];
    let mut at = &root.nodes;
    while let Some(node) = at.get() {
        nodes.push(node.number);
        at = &node.next;
    }
    let same = root.bytes.get() == Some(&second[..])
        && root.count.get() == NODES
        && nodes.into_iter().eq((0..NODES).rev())
        && region.medium().describe() == described;
    region.close().map_err(|error| format!("closed: {error:?}"))?;
    if same { Ok(format!("opened {described}")) } else { Err("not what was written".to_string()) }
}

fn use_it<M: Describe>(region: &mut Region<Root, M>, first: &[u8], second: &[u8]) -> indelible::Result<()> {
    region.transact(|tx, root| {
        let object = tx.persist(tx.alloc_slice(first)?)?;
        tx.publish(&root.bytes, object);
        Ok(())
    })?;
    region.transact(|tx, root| {
        let object = tx.fence(tx.stream_slice(second)?)?;
        if let Some(old) = tx.replace(&root.bytes, object) {
            tx.free(old);
        }
        Ok(())
    })?;
    for number in 0..NODES {
        region.transact(|tx, root| {
            let mut node = tx.alloc(Node { number, ..Default::default() })?;
            if let Some(old) = tx.take(&root.nodes) {
                tx.attach(&mut node, |node| &node.next, old);
            }
            let node = tx.persist(node)?;
            tx.publish(&root.nodes, node);
            tx.store(&root.count, number + 1);
            Ok(())
        })?;
    }
    Ok(())
}

/// A new region on `Auto`.
fn make(path: &Path, options: &Options) -> Result<Region<Root, Auto>, String> {
    // SAFETY: nothing else in this machine uses the file or device.
    unsafe { options.create(path, LEN, Root::default()) }.map_err(|error| format!("made: {error:?}"))
}

/// This program again, with one of its hidden commands.
fn again(command: &str, path: &Path, settings: &[&str]) -> Result<Command, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut this = Command::new(program);
    this.arg(command).arg(path).args(settings);
    Ok(this)
}

/// What a second opening is answered, while the first lasts.
fn second(path: &Path, options: &Options) -> String {
    // SAFETY: this is the question: the lock keeps it out.
    match unsafe { options.open::<Root, Auto>(path) } {
        Ok(_) => "opened".to_string(),
        Err(error) => format!("refused {}", variant(&error)),
    }
}

fn locked(path: &Path, options: &Options, settings: &[&str]) -> Result<String, String> {
    let _region = make(path, options)?;
    let here = second(path, options);
    let output = again("second", path, settings)?.output().map_err(|error| error.to_string())?;
    Ok(format!("{here} here, {} elsewhere", String::from_utf8_lossy(&output.stdout).trim()))
}

fn health(path: &Path, options: &Options) -> Result<String, String> {
    let region = make(path, options)?;
    let health = region.health().map_err(|error| format!("health: {error:?}"))?;
    let domain = health.persistence_domain.map_or("none".to_string(), |domain| format!("{domain:?}"));
    let bad = health.bad_blocks.map_or("unknown".to_string(), |blocks| blocks.len().to_string());
    let shutdowns = health.unsafe_shutdowns.map_or("unknown".to_string(), |count| count.to_string());
    let deep = region
        .deep_flush()
        .map_or_else(|error| format!("refused {}", variant(&error)), |()| "done".to_string());
    Ok(format!("domain {domain}, bad blocks {bad}, unsafe shutdowns {shutdowns}, deep flush {deep}"))
}

#[cfg(target_arch = "x86_64")]
fn counts(path: &Path, settings: &[&str]) -> Result<String, String> {
    let counts = count::count(&mut again("counted", path, settings)?).map_err(|error| error.to_string())?;
    let count::Counts { clwb, clflushopt, clflush, sfence, msync } = counts;
    Ok(format!("clwb {clwb}, clflushopt {clflushopt}, clflush {clflush}, sfence {sfence}, msync {msync}"))
}

/// The child of [`counts`].
#[cfg(target_arch = "x86_64")]
fn counted(path: &Path, options: &Options) -> Result<(), String> {
    let mut region = make(path, options)?;
    let mut publish = |number| {
        region.transact(|tx, root| {
            let object = tx.persist(tx.alloc_slice(&[7; 1000])?)?;
            if let Some(old) = tx.replace(&root.bytes, object) {
                tx.free(old);
            }
            tx.store(&root.count, number);
            Ok(())
        })
    };
    let failed = |error| format!("counted: {error:?}");
    publish(1).map_err(failed)?;
    publish(2).map_err(failed)?;
    count::be_traced();
    count::mark();
    let result = publish(3);
    count::mark();
    result.map_err(failed)
}

/// The name of the error's variant.
fn variant(error: &Error) -> String {
    format!("{error:?}").chars().take_while(|letter| letter.is_alphanumeric()).collect()
}

/// Zeroes the first page of a device-DAX device, so that it holds no region any more.
fn wipe(path: &Path) -> std::io::Result<()> {
    /// The units in which devices are mapped.
    const UNITS: [usize; 2] = [2 << 20, 1 << 30];
    let file = File::options().read(true).write(true).open(path)?;
    let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let map = |len| unsafe { rustix::mm::mmap(std::ptr::null_mut(), len, access, flags, &file, 0) };
    let at = map(UNITS[0]).or_else(|_| map(UNITS[1]))?;
    // SAFETY: the mapping has more than a page, and nothing refers to it.
    unsafe { at.cast::<u8>().write_bytes(0, 4096) };
    Ok(())
}

fn options(settings: &[&str]) -> Result<Options, String> {
    settings.iter().try_fold(Options::new().journal_words(64), |options, &setting| {
        Ok(match setting {
            "assume=memory_controller" => {
                options.assume_persistence_domain(PersistenceDomain::MemoryController)
            }
            "assume=cpu_cache" => options.assume_persistence_domain(PersistenceDomain::CpuCache),
            "allow=tmpfs" => options.allow_memory_file_system(MemoryFileSystem::Tmpfs),
            other => return Err(format!("no setting {other}")),
        })
    })
}

fn run(words: &[String]) -> Result<(), String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [command, rest @ ..] = &words[..] else { return Err("no command".to_string()) };
    match (*command, rest) {
        ("wipe", [path]) => wipe(Path::new(path)).map_err(|error| format!("{path}: {error}")),
        ("region", [what, path, settings @ ..]) => {
            let options = options(settings)?;
            let path = Path::new(path);
            let is_device = path.metadata().is_ok_and(|metadata| metadata.file_type().is_char_device());
            let cleared = if is_device { wipe(path) } else { Ok(()) };
            cleared.map_err(|error| format!("{}: {error}", path.display()))?;
            let line = match *what {
                "MapSync" => region::<MapSync>(path, &options)?,
                "PageCache" => region::<PageCache>(path, &options)?,
                "Auto" => region::<Auto>(path, &options)?,
                "Locked" => locked(path, &options, settings)?,
                "Health" => health(path, &options)?,
                #[cfg(target_arch = "x86_64")]
                "Counts" => counts(path, settings)?,
                other => return Err(format!("nothing is known of {other}")),
            };
            println!("{line}");
            Ok(())
        }
        ("migrate", [path]) => migrate::there_or_back(Path::new(path)).map_err(|error| error.to_string()),
        ("back", [path]) => migrate::back(Path::new(path)).map_err(|error| error.to_string()),
        ("second", [path, settings @ ..]) => {
            println!("{}", second(Path::new(path), &options(settings)?));
            Ok(())
        }
        #[cfg(target_arch = "x86_64")]
        ("counted", [path, settings @ ..]) => counted(Path::new(path), &options(settings)?),
        _ => Err(format!("no command {command} with these words")),
    }
}

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("wrong {error}");
            ExitCode::FAILURE
        }
    }
}
