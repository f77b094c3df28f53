//! Ours, PMDK's and the floor, side by side in one process.
//!
//! Short batches of each take turns, and a ratio is the median of the ratios of the rounds: what disturbs the
//! machine for longer than a round disturbs all sides alike. Criterion measures one side after the other, so
//! that a change of the machine's speed between them would look like a difference. `benches/run` takes the median of
//! several processes, because addresses that differ by a multiple of 4 KiB can make a CPU wait, and each process has
//! others.
//!
//! # Safety
//!
//! The C functions touch their own pool and the floor's memory, which is 1 MiB and aligned to a line.

#[path = "../../../tests/dax/guest/src/count.rs"]
mod count;
mod drain;
mod log;

use drain::drain;
use indelible::medium::Emulated;
use indelible::state::Flushed;
use indelible::{Link, Persistent, Pm, Region, Tx, Word};
use std::cmp::Ordering;
use std::ffi::{CString, c_char, c_int};
use std::hint::black_box;
use std::ops::Range;
use std::process::Command;
use std::time::Instant;

unsafe extern "C" {
    fn peer_open(path: *const c_char) -> c_int;
    fn peer_close();
    fn peer_store(value: u64);
    fn peer_words(count: u64, value: u64) -> c_int;
    fn peer_push_new(id: u64) -> c_int;
    fn peer_push_tx(id: u64) -> c_int;
    fn peer_clear() -> c_int;
    fn peer_traverse() -> u64;
    fn peer_build(count: u64);
    fn peer_find(key: u64) -> u64;
    fn peer_churn(slot: u64, size: u64, value: u64) -> c_int;
    fn floor_store(memory: *mut u64, instruction: c_int, value: u64);
    fn floor_push(memory: *mut u64, instruction: c_int, at: u64, value: u64);
    fn floor_words(memory: *mut u64, instruction: c_int, count: u64, value: u64);
    fn floor_churn(memory: *mut u64, instruction: c_int, slot: u64, size: u64, value: u64);
}

/// 48 bytes.
#[derive(Persistent)]
#[repr(C)]
struct Node {
    id: u64,
    value: [u64; 4],
    next: Link<Node>,
}

#[derive(Persistent)]
#[repr(C)]
struct Line {
    word: Word<u64>,
    rest: [u64; 7],
}

/// 32 bytes.
#[derive(Persistent)]
#[repr(C)]
struct Tree {
    key: u64,
    value: u64,
    left: Link<Tree>,
    right: Link<Tree>,
}

#[derive(Persistent)]
#[repr(C)]
struct Root {
    words: [Line; 64],
    list: Link<Node>,
    tree: Link<Tree>,
    slots: [Link<[u8]>; 64],
}

/// The same list and the same tree in DRAM.
struct BoxedNode {
    id: u64,
    _value: [u64; 4],
    next: Option<Box<BoxedNode>>,
}

struct BoxedTree {
    key: u64,
    value: u64,
    left: Option<Box<BoxedTree>>,
    right: Option<Box<BoxedTree>>,
}

/// A balanced search tree of these keys, children first.
fn build<'t>(tx: &Tx<'t, Emulated>, keys: Range<u64>) -> indelible::Result<Option<Pm<'t, Tree, Flushed>>> {
    if keys.is_empty() {
        return Ok(None);
    }
    let middle = keys.start + (keys.end - keys.start) / 2;
    let left = build(tx, keys.start..middle)?;
    let right = build(tx, middle + 1..keys.end)?;
    let mut tree = tx.alloc(Tree { key: middle, value: middle, left: Link::null(), right: Link::null() })?;
    tx.attach(&mut tree, |tree| &tree.left, left);
    tx.attach(&mut tree, |tree| &tree.right, right);
    Ok(Some(tx.flush(tree)))
}

fn build_boxed(keys: Range<u64>) -> Option<Box<BoxedTree>> {
    if keys.is_empty() {
        return None;
    }
    let middle = keys.start + (keys.end - keys.start) / 2;
    let left = build_boxed(keys.start..middle);
    let right = build_boxed(middle + 1..keys.end);
    Some(Box::new(BoxedTree { key: middle, value: middle, left, right }))
}

fn find(mut link: &Link<Tree>, key: u64) -> Option<u64> {
    while let Some(tree) = link.get() {
        match key.cmp(&tree.key) {
            Ordering::Equal => return Some(tree.value),
            Ordering::Less => link = &tree.left,
            Ordering::Greater => link = &tree.right,
        }
    }
    None
}

fn find_boxed(mut link: &Option<Box<BoxedTree>>, key: u64) -> Option<u64> {
    while let Some(tree) = link {
        match key.cmp(&tree.key) {
            Ordering::Equal => return Some(tree.value),
            Ordering::Less => link = &tree.left,
            Ordering::Greater => link = &tree.right,
        }
    }
    None
}

/// One of so many, by the number of the call.
fn random(n: u64, of: u64) -> u64 {
    let mixed = (n ^ n >> 7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) % of
}

#[repr(C, align(64))]
struct Memory([u64; 1 << 17]);

const BATCH: u64 = 64;

/// Nodes of the list and of the tree.
const MANY: u64 = 1_000_000;

/// Nanoseconds of one of so many calls, all that they began included.
fn time(from: u64, batch: u64, call: &mut dyn FnMut(u64)) -> f64 {
    drain();
    let start = Instant::now();
    for n in from..from + batch {
        call(n);
    }
    drain();
    start.elapsed().as_nanos() as f64 / batch as f64
}

/// The value below which this share of them lies.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}

/// One side of a row: what is measured, what tidies up after a round, and for the others the least ratio that
/// the project wants.
struct Side<'a> {
    name: &'static str,
    goal: f64,
    call: &'a mut dyn FnMut(u64),
    tidy: &'a mut dyn FnMut(),
}

/// What this process is to do.
struct Bench {
    pool: String,
    rounds: usize,
    /// Whether fences are counted: it takes a minute.
    fences: bool,
    /// In a child process, the work and the side whose fences are counted, and nothing is measured.
    counted: Option<(String, usize)>,
}

impl Bench {
    /// Prints the rows `work`, of which `sides[0]` is ours, with the fences of both.
    fn durable(&self, work: &str, sides: &mut [Side<'_>]) {
        if let Some((_, index)) = self.counted.as_ref().filter(|(counted, _)| counted == work) {
            let side = &mut sides[*index];
            for n in 0..BATCH {
                (side.call)(n);
            }
            count::mark();
            for n in BATCH..BATCH + COUNTED {
                (side.call)(n);
            }
            count::mark();
            std::process::exit(0);
        }
        let fences = |index: usize| match self.fences {
            true => format!("{:.2}", self.fences(work, index)),
            false => String::new(),
        };
        let fences: Vec<String> = (0..sides.len()).map(fences).collect();
        self.rows(work, self.rounds, BATCH, 1, sides, &fences);
    }

    /// Fences of one call, counted in a child process by single steps.
    fn fences(&self, work: &str, index: usize) -> f64 {
        let pool = format!("{}.counted", self.pool);
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        child.args([&pool, "--count", work, &index.to_string()]);
        let counts = count::count(&mut child).expect("the child is traced");
        std::fs::remove_file(pool).expect("the child made its pool");
        counts.sfence as f64 / COUNTED as f64
    }

    /// The same for work of any kind, in batches of another size, with several units of work in each call.
    fn rows(
        &self,
        work: &str,
        rounds: usize,
        batch: u64,
        units: u64,
        sides: &mut [Side<'_>],
        fences: &[String],
    ) {
        if self.counted.is_some() {
            return;
        }
        let mut times = vec![Vec::new(); sides.len()];
        for round in 0..rounds {
            for turn in 0..sides.len() {
                let index = (turn + round) % sides.len(); // nobody is always first
                let side = &mut sides[index];
                times[index].push(time(1 + round as u64 * batch, batch, side.call) / units as f64);
                (side.tidy)();
            }
        }
        let ours = quantile(&mut times[0].clone(), 0.5);
        let fences = |index: usize| fences.get(index).map_or("", String::as_str);
        for (index, side) in sides.iter().enumerate().skip(1) {
            let mut ratios: Vec<f64> =
                times[index].iter().zip(&times[0]).map(|(theirs, ours)| theirs / ours).collect();
            let goal = if side.goal == 0.0 { String::new() } else { format!("{:.2}", side.goal) };
            let theirs = quantile(&mut times[index].clone(), 0.5);
            let [low, middle, high] = [0.25, 0.5, 0.75].map(|share| quantile(&mut ratios, share));
            println!(
                "{work},{},{ours:.1},{theirs:.1},{middle:.2},{low:.2},{high:.2},{goal},{},{}",
                side.name,
                fences(0),
                fences(index)
            );
        }
    }
}

/// Calls whose fences are counted.
const COUNTED: u64 = 4;

fn main() -> indelible::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let (path, counted) = match &arguments[..] {
        [path, flag, work, index] if flag == "--count" => {
            count::be_traced();
            (path.clone(), Some((work.clone(), index.parse().expect("the index of a side"))))
        }
        [path, ..] => (path.clone(), None),
        [] => panic!("the path of PMDK's pool, which must not exist"),
    };
    let fences = arguments.iter().any(|argument| argument == "--fences");
    let bench = Bench { pool: path.clone(), rounds: if quick { 200 } else { 1_000 }, fences, counted };
    let name = CString::new(path.clone()).expect("a path has no zero byte");
    // SAFETY: a string that ends with a zero byte.
    assert_eq!(unsafe { peer_open(name.as_ptr()) }, 0, "PMDK made its pool");

    let line = || Line { word: Word::new(0), rest: [0; 7] };
    let root = Root {
        words: std::array::from_fn(|_| line()),
        list: Link::null(),
        tree: Link::null(),
        slots: [const { Link::null() }; 64],
    };
    let region = std::cell::RefCell::new(Region::new(256 << 20, root)?);
    let instruction = region.borrow().medium().flush_instruction().name();
    let code = match instruction {
        "clwb" => 0,
        "clflushopt" => 1,
        _ => 2,
    };
    if bench.counted.is_none() {
        eprintln!("flush instruction of ours and the floor: {instruction}");
        println!(
            "work,beside,ours ns,theirs ns,theirs / ours,lower quartile,upper quartile,goal,our fences,their fences"
        );
    }
    let mut memory = Box::new(Memory([1; 1 << 17]));
    let memory: *mut u64 = memory.0.as_mut_ptr();

    let store =
        &mut |n| region.borrow_mut().transact(|tx, root| Ok(tx.store(&root.words[0].word, n))).unwrap();
    bench.durable(
        "store",
        &mut [
            Side { name: "indelible", goal: 0.0, call: store, tidy: &mut || () },
            // SAFETY: see the file.
            Side {
                name: "floor",
                goal: 1.0 / 1.15,
                call: &mut |n| unsafe { floor_store(memory, code, n) },
                tidy: &mut || (),
            },
            // SAFETY: see the file.
            Side {
                name: "pmemobj_persist",
                goal: 0.0,
                call: &mut |n| unsafe { peer_store(n) },
                tidy: &mut || (),
            },
        ],
    );

    // Scattered: the offsets of ours do not rise.
    for (count, stride, goal) in [(2, 1, 5.0), (4, 1, 8.0), (8, 1, 12.0), (64, 1, 20.0), (64, 37, 20.0)] {
        let name = if stride == 1 { "words" } else { "scattered words" };
        bench.durable(
            &format!("transaction of {count} {name}"),
            &mut [
                Side {
                    name: "indelible",
                    goal: 0.0,
                    call: &mut |n| {
                        region
                            .borrow_mut()
                            .transact(|tx, root| {
                                (0..count).for_each(|i| tx.store(&root.words[i * stride % 64].word, !n));
                                Ok(())
                            })
                            .unwrap();
                    },
                    tidy: &mut || (),
                },
                Side {
                    name: "floor",
                    goal: 1.0 / 1.5,
                    // SAFETY: see the file.
                    call: &mut |n| unsafe { floor_words(memory, code, count as u64, n) },
                    tidy: &mut || (),
                },
                Side {
                    name: "pmemobj_tx_add_range_direct",
                    goal,
                    // SAFETY: see the file.
                    call: &mut |n| assert_eq!(unsafe { peer_words(count as u64, !n) }, 0),
                    tidy: &mut || (),
                },
            ],
        );
    }

    bench.durable(
        "push of 48 bytes",
        &mut [
            Side {
                name: "indelible",
                goal: 0.0,
                call: &mut |n| {
                    region
                        .borrow_mut()
                        .transact(|tx, root| {
                            let mut node = tx.alloc(Node { id: n, value: [n; 4], next: Link::null() })?;
                            tx.attach(&mut node, |node| &node.next, tx.take(&root.list));
                            tx.stage(&root.list, tx.flush(node));
                            Ok(())
                        })
                        .unwrap()
                },
                tidy: &mut || {
                    region.borrow_mut().transact(|tx, root| Ok(tx.free(tx.take(&root.list)))).unwrap()
                },
            },
            Side {
                name: "floor",
                goal: 1.0 / 1.25,
                // As many lines as ours, which are freed after each batch.
                // SAFETY: see the file.
                call: &mut |n| unsafe { floor_push(memory, code, 2048 + n % BATCH * 8, n) },
                tidy: &mut || (),
            },
            Side {
                name: "POBJ_NEW",
                goal: 6.0,
                // SAFETY: see the file.
                call: &mut |n| assert_eq!(unsafe { peer_push_new(n) }, 0),
                // SAFETY: see the file.
                tidy: &mut || assert_eq!(unsafe { peer_clear() }, 0),
            },
            Side {
                name: "TX_NEW",
                goal: 8.0,
                // SAFETY: see the file.
                call: &mut |n| assert_eq!(unsafe { peer_push_tx(n) }, 0),
                // SAFETY: see the file.
                tidy: &mut || assert_eq!(unsafe { peer_clear() }, 0),
            },
        ],
    );
    let size = |n: u64| [16, 40, 100, 200, 400, 800][random(n, 6) as usize];
    let bytes = [7_u8; 800];
    bench.durable(
        "alloc and free; 16 to 800 bytes",
        &mut [
            Side {
                name: "indelible",
                goal: 0.0,
                call: &mut |n| {
                    let (slot, size) = (random(n + 1, 64) as usize, size(n) as usize);
                    region
                        .borrow_mut()
                        .transact(|tx, root| {
                            let new = tx.alloc_slice(&bytes[..size])?;
                            let new = tx.persist(new)?;
                            Ok(tx.free(tx.replace(&root.slots[slot], new)))
                        })
                        .unwrap()
                },
                tidy: &mut || (),
            },
            Side {
                name: "floor",
                goal: 0.0,
                // SAFETY: see the file.
                call: &mut |n| unsafe { floor_churn(memory, code, random(n + 1, 64), size(n), n) },
                tidy: &mut || (),
            },
            Side {
                name: "pmemobj_reserve; publish; defer_free",
                goal: 5.0,
                // SAFETY: see the file.
                call: &mut |n| assert_eq!(unsafe { peer_churn(random(n + 1, 64), size(n), 7) }, 0),
                tidy: &mut || (),
            },
        ],
    );

    log::measure(&bench, memory, code)?;

    let few = if quick { 5 } else { 30 };
    let mut boxed = None;
    for id in 0..MANY {
        region.borrow_mut().transact(|tx, root| {
            let mut node = tx.alloc(Node { id, value: [id; 4], next: Link::null() })?;
            tx.attach(&mut node, |node| &node.next, tx.take(&root.list));
            tx.publish(&root.list, tx.persist(node)?);
            Ok(())
        })?;
        boxed = Some(Box::new(BoxedNode { id, _value: [id; 4], next: boxed }));
        // SAFETY: see the file.
        assert_eq!(unsafe { peer_push_new(id) }, 0);
    }
    let expected = MANY * (MANY - 1) / 2;
    bench.rows(
        "traverse a list of 1 M nodes",
        few,
        1,
        MANY,
        &mut [
            Side {
                name: "indelible",
                goal: 0.0,
                call: &mut |_| {
                    let (region, mut sum) = (region.borrow(), 0);
                    let mut link = &region.root().list;
                    while let Some(node) = link.get() {
                        sum += node.id;
                        link = &node.next;
                    }
                    assert_eq!(sum, expected);
                },
                tidy: &mut || (),
            },
            Side {
                name: "Box",
                goal: 1.0 / 1.05,
                call: &mut |_| {
                    let (mut link, mut sum) = (black_box(&boxed), 0);
                    while let Some(node) = link {
                        sum += node.id;
                        link = &node.next;
                    }
                    assert_eq!(sum, expected);
                },
                tidy: &mut || (),
            },
            Side {
                name: "D_RO",
                goal: 3.0,
                // SAFETY: see the file.
                call: &mut |_| assert_eq!(unsafe { peer_traverse() }, expected),
                tidy: &mut || (),
            },
        ],
        &[],
    );
    // One by one: the destructor would recurse a million times.
    while let Some(mut node) = boxed {
        boxed = node.next.take();
    }

    region.borrow_mut().transact(|tx, root| Ok(tx.stage(&root.tree, build(tx, 0..MANY)?)))?;
    let tree = build_boxed(0..MANY);
    // SAFETY: see the file.
    unsafe { peer_build(MANY) };
    let region = region.borrow();
    bench.rows(
        "look up in a tree of 1 M nodes",
        few * 10,
        1_000,
        1,
        &mut [
            Side {
                name: "indelible",
                goal: 0.0,
                call: &mut |n| {
                    let key = random(n, MANY);
                    assert_eq!(find(&region.root().tree, key), Some(key));
                },
                tidy: &mut || (),
            },
            Side {
                name: "Box",
                goal: 1.0 / 1.05,
                call: &mut |n| {
                    let key = random(n, MANY);
                    assert_eq!(find_boxed(&tree, key), Some(key));
                },
                tidy: &mut || (),
            },
            Side {
                name: "D_RO",
                goal: 3.0,
                call: &mut |n| {
                    let key = random(n, MANY);
                    // SAFETY: see the file.
                    assert_eq!(unsafe { peer_find(key) }, key);
                },
                tidy: &mut || (),
            },
        ],
        &[],
    );
    // SAFETY: see the file; nothing uses the pool any more.
    unsafe { peer_close() };
    std::fs::remove_file(path).expect("PMDK's pool was there");
    Ok(())
}
