//! Our maps beside redb, LMDB and fjall, all with durable commits, and std's maps in DRAM: the same keys, the same
//! memory, one operation after the other in small turns, so that what else the machine does hits all alike.
//!
//! Prints one table: nanoseconds for an operation (the median of the turns), and ratios to ours.

mod floor;
mod key;
mod stores;
mod work;

use std::path::PathBuf;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let quick = args.iter().any(|arg| arg == "--quick");
    if args.iter().any(|arg| arg == "--floor") {
        return floor::run();
    }
    let folder = args.iter().find(|arg| !arg.starts_with("--")).expect("a folder for the databases");
    let entries = if quick { 100_000 } else { 1_000_000 };
    let sides = if args.iter().any(|arg| arg == "--maps") { work::Sides::Maps } else { work::Sides::All };
    work::run(&PathBuf::from(folder), entries, quick, sides);
}
