//! An example as a program to run. `cargo test` builds examples first, `cargo test --test NAME` does not.

use std::path::Path;
use std::process::Command;

/// The example's binary, which must be there, and newer than all that it was made from; on foreign machines
/// through the runner that cargo uses.
pub fn example(name: &str) -> Command {
    let test = std::env::current_exe().expect("the test's own path");
    let folder = test.ancestors().nth(2).expect("target/<profile>/deps/<test>").join("examples");
    let example = folder.join(name);
    let time = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let made = time(&example)
        .unwrap_or_else(|| panic!("{} is missing: cargo build --example {name}", example.display()));
    let sources = std::fs::read_to_string(example.with_extension("d")).unwrap_or_default();
    let newer = sources.split_whitespace().skip(1).find(|source| time(Path::new(source)) > Some(made));
    if let Some(source) = newer {
        panic!("{} is older than {source}: cargo build --example {name}", example.display());
    }
    let runner = std::env::var("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER");
    match runner {
        Ok(runner) if cfg!(target_arch = "aarch64") && !runner.trim().is_empty() => {
            let mut words = runner.split_whitespace();
            let mut command = Command::new(words.next().expect("not empty"));
            command.args(words).arg(example);
            command
        }
        _ => Command::new(example),
    }
}
