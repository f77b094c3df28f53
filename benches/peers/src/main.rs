//! Ours, PMDK's and the floor, side by side in one process.
//!
//! Short batches of each take turns, and a ratio is the median of the ratios of the rounds: what disturbs the
//! machine for longer than a round disturbs all sides alike. Criterion measures one side after the other, so
//! that a change of the machine's speed between them would look like a difference.
//!
//! # Safety
//!
//! The C functions touch their own pool and the floor's memory, which is 1 MiB and aligned to a line.

use indelible::medium::Emulated;
use indelible::state::Flushed;
use indelible::{Link, Persistent, Pm, Region, Tx, Word};
use std::cmp::Ordering;
use std::ffi::{CString, c_char, c_int};
use std::hint::black_box;
use std::ops::Range;
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

/// Nanoseconds of one of so many calls.
fn time(from: u64, batch: u64, call: &mut dyn FnMut(u64)) -> f64 {
    let start = Instant::now();
    for n in from..from + batch {
        call(n);
    }
    start.elapsed().as_nanos() as f64 / batch as f64
}

/// The value below which this share of them lies.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}

/// One side of a row: what is measured, and what tidies up after a round.
struct Side<'a> {
    name: &'static str,
    call: &'a mut dyn FnMut(u64),
    tidy: &'a mut dyn FnMut(),
}

/// Prints the row `work`, of which `sides[0]` is ours.
fn row(work: &str, rounds: usize, sides: &mut [Side<'_>]) {
    rows(work, rounds, BATCH, 1, sides);
}

/// The same with batches of another size, and several units of work in each call.
fn rows(work: &str, rounds: usize, batch: u64, units: u64, sides: &mut [Side<'_>]) {
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
    for (side, theirs) in sides.iter().zip(&times).skip(1) {
        let mut ratios: Vec<f64> = theirs.iter().zip(&times[0]).map(|(theirs, ours)| theirs / ours).collect();
        let theirs = quantile(&mut theirs.clone(), 0.5);
        let [low, middle, high] = [0.25, 0.5, 0.75].map(|share| quantile(&mut ratios, share));
        println!("{work},{},{ours:.1},{theirs:.1},{middle:.2},{low:.2},{high:.2}", side.name);
    }
}

fn main() -> indelible::Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let rounds = if quick { 200 } else { 3_000 };
    let path = std::env::args().nth(1).expect("the path of PMDK's pool, which must not exist");
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
    eprintln!("flush instruction of ours and the floor: {instruction}");
    let mut memory = Box::new(Memory([1; 1 << 17]));
    let memory: *mut u64 = memory.0.as_mut_ptr();
    println!("work,beside,ours ns,theirs ns,theirs / ours,lower quartile,upper quartile");

    let store =
        &mut |n| region.borrow_mut().transact(|tx, root| Ok(tx.store(&root.words[0].word, n))).unwrap();
    row(
        "store",
        rounds,
        &mut [
            Side { name: "indelible", call: store, tidy: &mut || () },
            // SAFETY: see the file.
            Side { name: "floor", call: &mut |n| unsafe { floor_store(memory, code, n) }, tidy: &mut || () },
            // SAFETY: see the file.
            Side { name: "pmemobj_persist", call: &mut |n| unsafe { peer_store(n) }, tidy: &mut || () },
        ],
    );

    for count in [2, 4, 8, 64] {
        row(
            &format!("transaction of {count} words"),
            rounds,
            &mut [
                Side {
                    name: "indelible",
                    call: &mut |n| {
                        region
                            .borrow_mut()
                            .transact(|tx, root| {
                                root.words[..count].iter().for_each(|line| tx.store(&line.word, !n));
                                Ok(())
                            })
                            .unwrap();
                    },
                    tidy: &mut || (),
                },
                // SAFETY: see the file.
                Side {
                    name: "floor",
                    call: &mut |n| unsafe { floor_words(memory, code, count as u64, n) },
                    tidy: &mut || (),
                },
                Side {
                    name: "pmemobj_tx_add_range_direct",
                    // SAFETY: see the file.
                    call: &mut |n| assert_eq!(unsafe { peer_words(count as u64, !n) }, 0),
                    tidy: &mut || (),
                },
            ],
        );
    }

    row(
        "push of 48 bytes",
        rounds,
        &mut [
            Side {
                name: "indelible",
                call: &mut |n| {
                    region
                        .borrow_mut()
                        .transact(|tx, root| {
                            let mut node = tx.alloc(Node { id: n, value: [n; 4], next: Link::null() })?;
                            tx.attach(&mut node, |node| &node.next, tx.take(&root.list));
                            tx.publish(&root.list, tx.persist(node)?);
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
                // As many lines as ours, which are freed after each batch.
                // SAFETY: see the file.
                call: &mut |n| unsafe { floor_push(memory, code, 2048 + n % BATCH * 8, n) },
                tidy: &mut || (),
            },
            Side {
                name: "POBJ_NEW",
                // SAFETY: see the file.
                call: &mut |n| assert_eq!(unsafe { peer_push_new(n) }, 0),
                // SAFETY: see the file.
                tidy: &mut || assert_eq!(unsafe { peer_clear() }, 0),
            },
            Side {
                name: "TX_NEW",
                // SAFETY: see the file.
                call: &mut |n| assert_eq!(unsafe { peer_push_tx(n) }, 0),
                // SAFETY: see the file.
                tidy: &mut || assert_eq!(unsafe { peer_clear() }, 0),
            },
        ],
    );
    let size = |n: u64| [16, 40, 100, 200, 400, 800][random(n, 6) as usize];
    let bytes = [7_u8; 800];
    rows(
        "alloc and free; 16 to 800 bytes",
        rounds,
        BATCH,
        1,
        &mut [
            Side {
                name: "indelible",
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
                name: "pmemobj_reserve; publish; defer_free",
                // SAFETY: see the file.
                call: &mut |n| assert_eq!(unsafe { peer_churn(random(n + 1, 64), size(n), 7) }, 0),
                tidy: &mut || (),
            },
        ],
    );

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
    rows(
        "traverse a list of 1 M nodes",
        few,
        1,
        MANY,
        &mut [
            Side {
                name: "indelible",
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
                // SAFETY: see the file.
                call: &mut |_| assert_eq!(unsafe { peer_traverse() }, expected),
                tidy: &mut || (),
            },
        ],
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
    rows(
        "look up in a tree of 1 M nodes",
        few * 10,
        1_000,
        1,
        &mut [
            Side {
                name: "indelible",
                call: &mut |n| {
                    let key = random(n, MANY);
                    assert_eq!(find(&region.root().tree, key), Some(key));
                },
                tidy: &mut || (),
            },
            Side {
                name: "Box",
                call: &mut |n| {
                    let key = random(n, MANY);
                    assert_eq!(find_boxed(&tree, key), Some(key));
                },
                tidy: &mut || (),
            },
            Side {
                name: "D_RO",
                call: &mut |n| {
                    let key = random(n, MANY);
                    // SAFETY: see the file.
                    assert_eq!(unsafe { peer_find(key) }, key);
                },
                tidy: &mut || (),
            },
        ],
    );
    // SAFETY: see the file; nothing uses the pool any more.
    unsafe { peer_close() };
    std::fs::remove_file(path).expect("PMDK's pool was there");
    Ok(())
}
