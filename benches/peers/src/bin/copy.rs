//! `copy_persist` beside `pmem_memcpy_persist`, and where streaming begins to pay: the source of `CUT_OVER` in
//! `src/flush/copy.rs`.
//!
//! All sides write to the same anonymous memory, each to a quarter of its own, from the same source; batches take
//! turns, and a ratio is the median of the ratios of the rounds, as in `main.rs`.
//!
//! # Safety
//!
//! `pmem_memcpy_persist` is given memory that this program owns, with room. It asks for no pool.

#[path = "../drain.rs"]
mod drain;

use drain::drain;
use indelible::mapping::Mapping;
use std::ffi::c_void;
use std::hint::black_box;
use std::time::Instant;

#[link(name = "pmem")]
unsafe extern "C" {
    fn pmem_memcpy_persist(to: *mut c_void, from: *const c_void, len: usize) -> *mut c_void;
}

const QUARTER: usize = 8 << 20;
const NAMES: [&str; 4] = ["copy_persist", "cached", "streamed", "pmem_memcpy_persist"];

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One copy to the given place, by the given side.
fn copy(mapping: &mut Mapping<indelible::medium::Emulated>, side: usize, at: usize, source: &[u8]) {
    let part = mapping.part(at..at + source.len()).expect("inside");
    match side {
        0 => drop(black_box(part.copy_persist(source))),
        1 => drop(black_box(part.copy(source).fence())),
        2 => drop(black_box(part.stream_persist(source))),
        _ => {
            let mut part = part.write();
            // SAFETY: see the file.
            unsafe { pmem_memcpy_persist(part.as_mut_ptr().cast(), source.as_ptr().cast(), source.len()) };
        }
    }
}

fn main() -> indelible::Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let mut mapping = Mapping::new(4 * QUARTER as u64)?;
    let mut all = mapping.part(0..4 * QUARTER)?.write();
    all.fill(1);
    let source: Vec<u8> = (0..(1 << 20) + 64).map(|i| i as u8).collect();
    println!(
        "bytes,offset,{},theirs / ours,cached / streamed",
        NAMES.map(|name| format!("{name} ns")).join(",")
    );
    let sizes = [
        8,
        16,
        64,
        128,
        192,
        256,
        320,
        384,
        512,
        768,
        1024,
        1536,
        2048,
        4096,
        8192,
        16 << 10,
        64 << 10,
        256 << 10,
        1 << 20,
    ];
    for offset in [0, 24] {
        for len in sizes {
            let step = (len + 127) / 64 * 64;
            let batch = (16 << 10) / (len + 256) + 1;
            let rounds = if quick { 300 } else { 2_000 }.min((1 << 30) / (len * batch * 4));
            let mut times: [Vec<f64>; 4] = Default::default();
            let mut place = 0;
            for round in 0..rounds {
                for turn in 0..4 {
                    let side = (turn + round) % 4;
                    drain();
                    let begin = Instant::now();
                    for n in 0..batch {
                        let at = (place + n * step) % (QUARTER - (1 << 20) - 128) / 64 * 64;
                        copy(&mut mapping, side, side * QUARTER + at + offset, &source[..len]);
                    }
                    drain();
                    times[side].push(begin.elapsed().as_nanos() as f64 / batch as f64);
                }
                place += batch * step;
            }
            let ratio =
                |a: usize, b: usize| median(times[a].iter().zip(&times[b]).map(|(a, b)| a / b).collect());
            let (theirs, streamed) = (ratio(3, 0), ratio(1, 2));
            let times = times.map(|times| format!("{:.0}", median(times))).join(",");
            println!("{len},{offset},{times},{theirs:.2},{streamed:.2}");
        }
    }
    Ok(())
}
