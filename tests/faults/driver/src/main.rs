//! What `tests/faults/run` runs: `matrix` traces what the library asks of the kernel in each scenario and
//! runs it again with each call failing, and with a kill there; `act` is one such run; `disk` fills a real
//! file system; `device` lets the disk under one fail.

mod act;
mod bank;
mod device;
mod disk;
mod matrix;
mod process;
mod trace;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let args: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    let result = match args[..] {
        ["act", scenario, folder] => act::run(scenario, Path::new(folder)),
        ["matrix", errnos, work, ref only @ ..] => matrix::run(Path::new(errnos), Path::new(work), only),
        ["disk", folder] => disk::run(Path::new(folder)),
        ["limit", folder] => disk::limit(Path::new(folder)),
        ["device", step, folder] => device::run(step, Path::new(folder)),
        _ => Err("usage: faults-driver matrix ERRNOS WORK [SCENARIO...] | act SCENARIO FOLDER | disk FOLDER | limit FOLDER | device STEP FOLDER".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            println!("wrong: {wrong}");
            ExitCode::FAILURE
        }
    }
}
