//! As `main.rs`, for logs. A program of its own: what the compiler inlines in one kind of work depends on the others.

use indelible::collections::Log;
use indelible::{Options, Persistent, Result};

#[derive(Persistent, Default)]
#[repr(C)]
struct Root {
    log: Log,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, work, rounds] = &arguments[..] else { panic!("WORK ROUNDS") };
    let rounds: u64 = rounds.parse().expect("a number of rounds");
    let count = match &work[..] {
        "append" => 1,
        "append-16" => 16,
        _ => panic!("there is no work {work}"),
    };
    // The address space that Valgrind leaves is small.
    let mut region = Options::new().max_len(1 << 30).emulated(8 << 20, Root::default())?;
    region.transact(|tx, root| root.log.create(tx, 5 << 20))?;
    // One round more, in which the buffers get their size.
    for n in 0..=rounds {
        let record = [n as u8; 128];
        region.transact(|tx, root| root.log.append_all(tx, std::iter::repeat_n(&record[..], count)))?;
    }
    std::process::exit(0) // without what closing costs
}
