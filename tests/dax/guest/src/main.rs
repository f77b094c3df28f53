//! What `tests/dax/run` runs inside its virtual machines: one cell of the matrix (a region is made, used,
//! opened again and compared on one medium), and what it takes to begin again on a device.
//!
//! ```text
//! dax-guest region MapSync|PageCache|Auto PATH [assume=memory_controller|cpu_cache] [allow=tmpfs]
//! dax-guest wipe DEVICE
//! ```
//!
//! `region` prints one line: `opened MEDIUM DOMAIN INSTRUCTION`, `refused VARIANT message`, or
//! `wrong message`.

use indelible::medium::{
    Auto, FileMedium, MapSync, MemoryFileSystem, PageCache, PersistenceDomain, Writable,
};
use indelible::{Error, Link, Options, Persistent, Region, Word};
use rustix::mm::{MapFlags, ProtFlags};
use std::fs::File;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::ExitCode;

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

fn run(words: &[String]) -> Result<(), String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [command, rest @ ..] = &words[..] else { return Err("no command".to_string()) };
    match (*command, rest) {
        ("wipe", [path]) => wipe(Path::new(path)).map_err(|error| format!("{path}: {error}")),
        ("region", [medium, path, settings @ ..]) => {
            let mut options = Options::new().journal_words(64);
            for setting in settings {
                options = match *setting {
                    "assume=memory_controller" => {
                        options.assume_persistence_domain(PersistenceDomain::MemoryController)
                    }
                    "assume=cpu_cache" => options.assume_persistence_domain(PersistenceDomain::CpuCache),
                    "allow=tmpfs" => options.allow_memory_file_system(MemoryFileSystem::Tmpfs),
                    other => return Err(format!("no setting {other}")),
                };
            }
            let path = Path::new(path);
            let is_device = path.metadata().is_ok_and(|metadata| metadata.file_type().is_char_device());
            let cleared = if is_device { wipe(path) } else { Ok(()) };
            cleared.map_err(|error| format!("{}: {error}", path.display()))?;
            let line = match *medium {
                "MapSync" => region::<MapSync>(path, &options)?,
                "PageCache" => region::<PageCache>(path, &options)?,
                "Auto" => region::<Auto>(path, &options)?,
                other => return Err(format!("no medium {other}")),
            };
            println!("{line}");
            Ok(())
        }
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
