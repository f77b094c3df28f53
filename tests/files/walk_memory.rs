//! Verification in bounded memory, whatever the shape of the data: at most 3 % of the 512 KiB chunks that hold
//! live blocks, and 16 MiB.
//!
//! Each case is opened in a process of its own. What is counted is the peak of its resident memory while it
//! opens (`VmHWM`) without what it had before and without the region's own pages (`RssShmem`, `RssFile`): so
//! the walk, the search for a path, and the heap's state of the region that is open at the end. The same with
//! ten million objects: `cargo run --release --example open_time`.

use indelible::collections::Log;
use indelible::medium::{Emulated, MemoryFileSystem, PageCache};
use indelible::{Error, Link, Options, Persistent, Region, Result, Word};
use indelible_test_support::{folder, process};
use std::os::unix::fs::FileExt;
use std::path::Path;

#[derive(Persistent)]
#[repr(C)]
struct Node {
    key: u64,
    on: Word<bool>,
    left: Link<Node>,
    right: Link<Node>,
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    node: Link<Node>,
    all: Link<[Link<Node>]>,
    log: Log,
}

type Tx<'t> = indelible::Tx<'t, PageCache>;
type Flushed<'t> = indelible::Pm<'t, Node, indelible::state::Flushed>;

/// Objects in a case. Few enough for a test that is not optimised, and so many that a walk which remembers
/// each would exceed the bound.
const COUNT: u64 = 1_000_000;
const LEN: u64 = 90 << 20;
/// Bytes of the record of a log.
const RECORD: usize = 60 << 20;
const CHUNK: u64 = 512 << 10;
/// What a child is told instead of a path.
const EMPTY: &str = "empty";
const CASE: &str = "INDELIBLE_WALK_MEMORY";

fn options() -> Options {
    Options::new().max_len(LEN).journal_words(64).allow_memory_file_system(MemoryFileSystem::Tmpfs)
}

fn new<'t>(
    tx: &Tx<'t>,
    key: u64,
    left: Option<Flushed<'t>>,
    right: Option<Flushed<'t>>,
) -> Result<Flushed<'t>> {
    let on = Word::new(true);
    let mut node = tx.alloc(Node { key, on, left: Link::null(), right: Link::null() })?;
    tx.attach(&mut node, |node| &node.left, left);
    tx.attach(&mut node, |node| &node.right, right);
    Ok(tx.flush(node))
}

/// Nodes in a list by `left` or by `right`; the last one has the key 0. Every other one may have a leaf.
fn spine<'t>(tx: &Tx<'t>, left: bool, leaves: bool) -> Result<Flushed<'t>> {
    let mut spine = new(tx, 0, None, None)?;
    for key in 1..COUNT / if leaves { 2 } else { 1 } {
        let leaf = if leaves { Some(new(tx, key, None, None)?) } else { None };
        spine = match left {
            true => new(tx, key, Some(spine), leaf)?,
            false => new(tx, key, leaf, Some(spine))?,
        };
    }
    Ok(spine)
}

fn tree<'t>(tx: &Tx<'t>, depth: u32) -> Result<Flushed<'t>> {
    match depth {
        0 => new(tx, 0, None, None),
        _ => new(tx, depth.into(), Some(tree(tx, depth - 1)?), Some(tree(tx, depth - 1)?)),
    }
}

/// Builds the region of a case; answers where the object with key 0 that was made first lies.
fn build(case: &str, path: &Path) -> u64 {
    let root = Root { node: Link::null(), all: Link::null(), log: Log::new() };
    // SAFETY: the file is the test's own.
    let region: Result<Region<Root, PageCache>> = unsafe { options().create(path, LEN, root) };
    let mut region = region.expect("a good region");
    let offset = region.transact(|tx, root| {
        match case {
            "slice of links" => {
                let mut all = tx.alloc_slice_with(COUNT as usize, |_| Link::null())?;
                for key in 0..COUNT {
                    let node = new(tx, key, None, None)?;
                    tx.attach(&mut all, |all| &all[key as usize], node);
                }
                tx.stage(&root.all, tx.flush(all));
            }
            "left spine" => tx.stage(&root.node, spine(tx, true, false)?),
            "right spine" => tx.stage(&root.node, spine(tx, false, false)?),
            "left spine with leaves" => tx.stage(&root.node, spine(tx, true, true)?),
            "right spine with leaves" => tx.stage(&root.node, spine(tx, false, true)?),
            "tree" => tx.stage(&root.node, tree(tx, 18)?),
            "record" => {
                root.log.create(tx, RECORD as u64 + 4096)?;
                root.log.append(tx, &vec![7; RECORD])?;
            }
            _ => unreachable!("no such case"),
        }
        Ok(0)
    });
    offset.expect("room");
    // The end of the way that leads to the first or last link of each.
    let base = std::ptr::from_ref(region.root()).addr();
    let mut last = match region.root().all.get() {
        Some(all) => all[COUNT as usize - 1].get(),
        None => region.root().node.get(),
    };
    let mut offset = 0;
    while let Some(node) = last {
        offset = std::ptr::from_ref(&node.on).addr() - base;
        let deeper = |link: &'_ Link<Node>| {
            link.get().is_some_and(|node| node.left.get().is_some() || node.right.get().is_some())
        };
        last = match () {
            () if deeper(&node.left) => node.left.get(),
            () if deeper(&node.right) => node.right.get(),
            () => node.left.get().or(node.right.get()),
        };
    }
    region.close().expect("closed");
    offset as u64
}

/// A line of /proc/self/status, in bytes.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux has it");
    line.trim_matches([':', ' ', '\t', 'k', 'B']).parse::<u64>().expect("a number") * 1024
}

/// Opens the region in this process: what a child does.
#[test]
fn child() {
    let Some(path) = std::env::var_os(CASE) else { return };
    if path == EMPTY {
        let before = status("VmHWM");
        let root = Root { node: Link::null(), all: Link::null(), log: Log::new() };
        let region = Region::<Root, Emulated>::new(8 << 30, root).expect("address space");
        // Nor does it cost more to ask what is in it.
        let objects = region.usage().expect("good").objects;
        println!("result {} 0 {objects}", status("VmHWM") - before);
        return;
    }
    let files = || status("RssShmem") + status("RssFile");
    let (before, files_before) = (status("VmHWM"), files());
    // SAFETY: the file is the test's own.
    let opened: Result<Region<Root, PageCache>> = unsafe { options().open(path) };
    let peak = status("VmHWM");
    match opened {
        Ok(region) => {
            let mapped = files() - files_before;
            println!("result {} {mapped} {}", peak - before, region.usage().expect("good").objects);
        }
        Err(Error::Damaged { place, .. }) => println!("result {} damaged {place}", peak - before),
        Err(other) => panic!("{other}"),
    }
}

/// It took 590 MB when the heap's tables were written to be made.
#[test]
fn an_empty_region_of_8_gib_takes_next_to_no_memory() {
    let result = open_in_child(Path::new(EMPTY));
    let used: u64 = result[0].parse().expect("a number");
    println!("an empty region of 8 GiB: {} KiB", used / 1024);
    assert!(used < 8 << 20, "{used} bytes");
}

fn open_in_child(path: &Path) -> Vec<String> {
    let child = process::this_test("child").env(CASE, path).output().expect("it runs");
    let out = String::from_utf8(child.stdout).expect("text");
    let text = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{out}{text}");
    let line = out.lines().find_map(|line| line.split_once("result ")).expect("a result");
    line.1.splitn(3, ' ').map(str::to_string).collect()
}

#[test]
fn verification_stays_within_its_bound() {
    let folder = folder::in_memory();
    let n = COUNT - 1;
    for (case, place) in [
        ("left spine", format!("root.node.left ×{n}.on")),
        ("right spine", format!("root.node.right ×{n}.on")),
        ("left spine with leaves", format!("root.node.left ×{}.on", COUNT / 2 - 1)),
        ("right spine with leaves", format!("root.node.right ×{}.left.on", COUNT / 2 - 2)),
        ("slice of links", format!("root.all[{n}].on")),
        ("tree", format!("root.node{}.on", ".left ×18")),
    ] {
        let path = folder.path().join("x");
        let word = build(case, &path);
        let mut results = vec![open_in_child(&path)];
        let number = |text: &String| text.parse::<u64>().expect("a number");
        let mapped = number(&results[0][1]);
        // The region is full of objects of 64 bytes, but for the slice.
        let live = number(&results[0][2]) * 64 + if case == "slice of links" { COUNT * 8 } else { 0 };
        let bound = live.next_multiple_of(CHUNK) * 3 / 100 + (16 << 20);
        let root = {
            let bytes = std::fs::read(&path).expect("ours");
            let at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("a word"));
            let retired = (4096 + at(24)).next_multiple_of(64);
            (retired + 64 + 2 * (24 + 16 * at(40)).next_multiple_of(64) + 16).next_multiple_of(64)
        };
        let file = std::fs::File::options().write(true).open(&path).expect("ours");
        file.write_all_at(&[7], root + word).expect("ours");
        results.push(open_in_child(&path));
        assert_eq!(results[1][2], place, "{case}");
        for result in results {
            let used = number(&result[0]).saturating_sub(mapped);
            println!(
                "{case}: {} of {} KiB{}",
                used / 1024,
                bound / 1024,
                if result[1] == "damaged" { ", damaged" } else { "" }
            );
            assert!(used <= bound, "{case}: {used} bytes of at most {bound}");
        }
        std::fs::remove_file(&path).expect("ours");
    }
}

/// A record is hashed piece by piece, whether it verifies or not.
#[test]
fn a_long_record_of_a_log_is_verified_within_the_bound_too() {
    let folder = folder::inside(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.path().join("x");
    build("record", &path);
    let bound = RECORD as u64 * 3 / 100 + (16 << 20);
    let number = |text: &String| text.parse::<u64>().expect("a number");
    let bytes = std::fs::read(&path).expect("ours");
    let inside = bytes.windows(4096).position(|page| page == [7; 4096]).expect("the record is there");
    drop(bytes);
    for (flip, objects) in [(false, 2), (true, 2)] {
        if flip {
            let file = std::fs::File::options().write(true).open(&path).expect("ours");
            file.write_all_at(&[8], inside as u64 + (RECORD as u64 - 4096)).expect("ours");
        }
        let result = open_in_child(&path);
        let used = number(&result[0]).saturating_sub(number(&result[1]));
        println!("a record of {} KiB: {} of {} KiB", RECORD / 1024, used / 1024, bound / 1024);
        assert_eq!(number(&result[2]), objects);
        assert!(used <= bound, "{used} bytes of at most {bound}");
    }
}

/// Objects with links, more of them than the walk's list of links has room for.
type Wide = Link<[Link<u64>]>;

/// What the list has no room for waits as a bit, and once more where the list is full again before its turn comes:
/// because one of those that waited has that many links.
#[test]
fn every_object_that_waited_is_visited_once() {
    const NODES: usize = 70_000;
    let links = |index| if index == 32_000 { 40_000 } else { 1 };
    let mut region = Region::new(64 << 20, Link::<[Wide]>::null()).expect("memory");
    let made = region.transact(|tx, root| {
        let mut all = tx.alloc_slice_with(NODES, |_| Link::null())?;
        for index in 0..NODES {
            let mut node = tx.alloc_slice_with(links(index), |_| Link::null())?;
            for link in 0..links(index) {
                let leaf = tx.flush(tx.alloc(link as u64)?);
                tx.attach(&mut node, |node| &node[link], leaf);
            }
            tx.attach(&mut all, |all| &all[index], tx.flush(node));
        }
        tx.stage(root, tx.flush(all));
        Ok(())
    });
    made.expect("room");
    let usage = region.usage().expect("a good region");
    let objects = 2 + NODES + (0..NODES).map(links).sum::<usize>();
    assert_eq!((usage.objects, usage.unreached_bytes), (objects as u64, 0));
}
