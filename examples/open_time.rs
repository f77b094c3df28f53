//! How long the walk of `open` takes, beside what the memory allows, and what it needs of memory.
//!
//!     cargo run --release --example open_time [-- OBJECTS...]
//!
//! Objects of 64 bytes, header included, at random places of a region in /dev/shm; 1,000,000 and 10,000,000 by
//! default. Each shape is built by one process and opened by another, which measures in the same run: `open`,
//! whose first touch of a page also costs a page fault; `usage`, which is the same walk over pages that are
//! mapped; then the bounds, over as many lines of its own memory: a sequential read, a chain of dependent loads
//! at random places, and independent loads there. Times are those of the CPU, not of a clock.

use indelible::medium::{MemoryFileSystem, PageCache};
use indelible::{Link, Options, Persistent, Region, Result};
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

#[derive(Persistent)]
#[repr(C)]
struct Node {
    value: [u64; 4],
    left: Link<Node>,
    right: Link<Node>,
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    node: Link<Node>,
    all: Link<[Link<Node>]>,
}

const SHAPES: [&str; 4] = ["list in order", "list", "tree", "slice of links"];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("build") => return build(&arguments[1], arguments[2].as_ref(), number(&arguments[3])),
        Some("open") => return open(&arguments[1], arguments[2].as_ref(), number(&arguments[3])),
        _ => {}
    }
    let counts = match arguments.is_empty() {
        true => vec![1_000_000, 10_000_000],
        false => arguments.iter().map(|count| number(count)).collect(),
    };
    let folder = tempfile::tempdir_in("/dev/shm").map_err(indelible::Error::other)?;
    println!("ns an object; MiB that open takes beside the region, and its bound");
    println!(
        "{:>9} {:<15} {:>6} {:>6} {:>10} {:>8} {:>12} {:>7} {:>6}",
        "objects", "shape", "open", "usage", "sequential", "chain", "independent", "memory", "bound"
    );
    for count in counts {
        for shape in SHAPES {
            let path = folder.path().join("region");
            for step in ["build", "open"] {
                let status = std::env::current_exe()
                    .and_then(|exe| {
                        Command::new(exe).args([step, shape]).arg(&path).arg(count.to_string()).status()
                    })
                    .map_err(indelible::Error::other)?;
                assert!(status.success(), "{step} {shape}");
            }
            std::fs::remove_file(&path).map_err(indelible::Error::other)?;
        }
    }
    Ok(())
}

fn number(text: &str) -> usize {
    text.replace(['_', ','], "").parse().expect("a number of objects")
}

fn len(count: usize) -> u64 {
    // A sixteenth is kept back from what only takes.
    (count as u64 * 78).next_multiple_of(4096) + (1 << 20)
}

fn options(count: usize) -> Options {
    Options::new().max_len(len(count)).allow_memory_file_system(MemoryFileSystem::Tmpfs)
}

/// 0 to `count` in a random order.
fn shuffled(count: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for i in (1..count).rev() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        order.swap(i, (random % (i as u64 + 1)) as usize);
    }
    order
}

fn build(shape: &str, path: &Path, count: usize) -> Result<()> {
    let root = Root { node: Link::null(), all: Link::null() };
    // SAFETY: nothing else knows the file.
    let mut region: Region<Root, PageCache> = unsafe { options(count).create(path, len(count), root)? };
    region.transact(|tx, root| {
        let new = || tx.alloc(Node { value: [7; 4], left: Link::null(), right: Link::null() }).map(Some);
        let mut nodes = (0..count).map(|_| new()).collect::<Result<Vec<_>>>()?;
        let order =
            if shape == "list in order" { (0..count as u32).rev().collect() } else { shuffled(count) };
        let mut node = |i: usize| nodes[order[i] as usize].take().expect("each once");
        match shape {
            "tree" => {
                let mut done: Vec<Option<_>> = (0..count).map(|_| None).collect();
                for i in (0..count).rev() {
                    let mut parent = node(i);
                    let mut child = |at: usize| done.get_mut(at).and_then(Option::take);
                    tx.attach(&mut parent, |node| &node.left, child(2 * i + 1));
                    tx.attach(&mut parent, |node| &node.right, child(2 * i + 2));
                    done[i] = Some(tx.flush(parent));
                }
                tx.stage(&root.node, done[0].take());
            }
            "slice of links" => {
                let mut all = tx.alloc_slice_with(count, |_| Link::null())?;
                for i in 0..count {
                    tx.attach(&mut all, |all| &all[i], tx.flush(node(i)));
                }
                tx.stage(&root.all, tx.flush(all));
            }
            _ => {
                let mut list = None;
                for i in 0..count {
                    let mut first = node(i);
                    tx.attach(&mut first, |node| &node.right, list);
                    list = Some(tx.flush(first));
                }
                tx.stage(&root.node, list);
            }
        }
        Ok(())
    })?;
    region.close()
}

/// Time that this process ran, in ns: others on the machine count less than in a clock's.
fn cpu_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

/// A line of /proc/self/status, in bytes.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim_matches([':', ' ', '\t', 'k', 'B']).parse::<u64>().map_or(0, |kib| kib * 1024)
}

fn open(shape: &str, path: &Path, count: usize) -> Result<()> {
    let per_object = |start: u64| (cpu_time() - start) as f64 / count as f64;
    let files = || status("RssShmem") + status("RssFile");
    let (before, files_before) = (status("VmHWM"), files());
    let start = cpu_time();
    // SAFETY: nothing else knows the file.
    let region: Region<Root, PageCache> = unsafe { options(count).open(path)? };
    let open = per_object(start);
    let memory = (status("VmHWM") - before).saturating_sub(files() - files_before);
    let start = cpu_time();
    let usage = region.usage()?;
    let walk = per_object(start);
    assert_eq!(usage.objects, count as u64 + 1 + u64::from(shape == "slice of links"));
    let live = usage.object_bytes.next_multiple_of(512 << 10);
    let bound = live * 3 / 100 + (16 << 20);

    // Lines of 64 bytes, each with the number of the next.
    let order = shuffled(count);
    let mut lines = vec![[0_u64; 8]; count];
    for (i, &at) in order.iter().enumerate() {
        lines[at as usize][0] = u64::from(order[(i + 1) % count]);
    }
    let start = cpu_time();
    black_box(lines.iter().flatten().fold(0_u64, |sum, word| sum.wrapping_add(*word)));
    let sequential = per_object(start);
    let start = cpu_time();
    black_box((0..count).fold(0, |at, _| lines[at][0] as usize));
    let chain = per_object(start);
    let start = cpu_time();
    black_box(order.iter().fold(0_u64, |sum, &at| sum.wrapping_add(lines[at as usize][0])));
    let independent = per_object(start);
    println!(
        "{count:>9} {shape:<15} {open:>6.1} {walk:>6.1} {sequential:>10.1} {chain:>8.1} {independent:>12.1} {:>7.1} {:>6.1}",
        memory as f64 / f64::from(1 << 20),
        bound as f64 / f64::from(1 << 20)
    );
    Ok(())
}
