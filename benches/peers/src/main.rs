//! Ours, PMDK's and the floor, side by side in one process.
//!
//! Short batches of each take turns, and a ratio is the median of the ratios of the rounds: what disturbs the
//! machine for longer than a round disturbs all sides alike. Criterion measures one side after the other, so
//! that a change of the machine's speed between them would look like a difference.
//!
//! # Safety
//!
//! The C functions touch their own pool and the floor's memory, which is 1 MiB and aligned to a line.

use indelible::{Link, Persistent, Region, Word};
use std::ffi::{CString, c_char, c_int};
use std::time::Instant;

unsafe extern "C" {
    fn peer_open(path: *const c_char) -> c_int;
    fn peer_close();
    fn peer_store(value: u64);
    fn peer_words(count: u64, value: u64) -> c_int;
    fn peer_push_new(id: u64) -> c_int;
    fn peer_push_tx(id: u64) -> c_int;
    fn peer_clear() -> c_int;
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

#[derive(Persistent)]
#[repr(C)]
struct Root {
    words: [Line; 64],
    list: Link<Node>,
}

#[repr(C, align(64))]
struct Memory([u64; 1 << 17]);

const BATCH: u64 = 64;

/// Nanoseconds of one call, for one batch.
fn time(from: u64, call: &mut dyn FnMut(u64)) -> f64 {
    let start = Instant::now();
    for n in from..from + BATCH {
        call(n);
    }
    start.elapsed().as_nanos() as f64 / BATCH as f64
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
    let mut times = vec![Vec::new(); sides.len()];
    for round in 0..rounds {
        for turn in 0..sides.len() {
            let index = (turn + round) % sides.len(); // nobody is always first
            let side = &mut sides[index];
            times[index].push(time(1 + round as u64 * BATCH, side.call));
            (side.tidy)();
        }
    }
    let ours = quantile(&mut times[0].clone(), 0.5);
    for (side, theirs) in sides.iter().zip(&times).skip(1) {
        let mut ratios: Vec<f64> = theirs.iter().zip(&times[0]).map(|(theirs, ours)| theirs / ours).collect();
        let theirs = quantile(&mut theirs.clone(), 0.5);
        let [low, middle, high] = [0.25, 0.5, 0.75].map(|share| quantile(&mut ratios, share));
        println!("{work},{},{ours:.0},{theirs:.0},{middle:.2},{low:.2},{high:.2}", side.name);
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
    let root = Root { words: std::array::from_fn(|_| line()), list: Link::null() };
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

    let mut nothing = || ();
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
            Side { name: "pmemobj_persist", call: &mut |n| unsafe { peer_store(n) }, tidy: &mut nothing },
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
                // SAFETY: see the file.
                call: &mut |n| unsafe { floor_push(memory, code, 2048 + n % 4096 * 8, n) },
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
    // SAFETY: see the file; nothing uses the pool any more.
    unsafe { peer_close() };
    std::fs::remove_file(path).expect("PMDK's pool was there");
    Ok(())
}
