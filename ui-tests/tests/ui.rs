//! Runs every program under `cases/`: those in `pass` must compile and run, all others must fail with the
//! message that stands in their `.stderr`.
//!
//! A case is one mistake, and named after it. To add one, write the program, run this test with
//! `TRYBUILD=overwrite`, and read the message as the person who made the mistake would.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

const REJECTED: [&str; 7] = ["order", "state", "region", "mapping", "layout", "derive", "bypass"];

#[test]
fn mistakes_are_rejected_with_their_messages() {
    let cases = trybuild::TestCases::new();
    // With a program that must pass, trybuild builds instead of checking. Assertions that are evaluated
    // only where a generic is used fail then, and not before.
    cases.pass("cases/pass/*.rs");
    for topic in REJECTED {
        cases.compile_fail(format!("cases/{topic}/*.rs"));
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn every_message_has_its_program_and_every_program_is_run() {
    for folder in files(Path::new("cases")) {
        let topic = folder.file_name().and_then(OsStr::to_str).unwrap();
        assert!(topic == "pass" || REJECTED.contains(&topic), "nothing runs what is in {}", folder.display());
        for file in files(&folder) {
            match file.extension().and_then(OsStr::to_str) {
                Some("rs") => {
                    let message = file.with_extension("stderr").exists();
                    assert_eq!(message, topic != "pass", "{}: its .stderr", file.display());
                }
                Some("stderr") => {
                    assert!(file.with_extension("rs").exists(), "{} has no program", file.display());
                }
                _ => panic!("{} is neither a program nor a message", file.display()),
            }
        }
    }
}

#[test]
fn the_readme_shows_a_program_and_its_message_as_they_are() {
    let readme = fs::read_to_string("../README.md").unwrap();
    let program = fs::read_to_string("cases/order/publish_dirty.rs").unwrap();
    let (_comment, program) = program.split_once("\n\n").unwrap();
    let message = fs::read_to_string("cases/order/publish_dirty.stderr").unwrap();
    assert!(readme.contains(program), "README.md shows another program than cases/order/publish_dirty.rs");
    assert!(
        readme.contains(&message),
        "README.md shows another message than cases/order/publish_dirty.stderr"
    );
}

#[test]
fn the_programs_that_the_readme_and_the_book_name_exist() {
    let is_case = |name: &&str| {
        name.split_once('/').is_some_and(|(topic, _)| REJECTED.contains(&topic)) && name.ends_with(".rs")
    };
    let mut named = 0;
    for page in ["../README.md", "../book/src/compiler-errors.md"] {
        let text = fs::read_to_string(page).unwrap();
        for name in text.split('`').filter(is_case) {
            assert!(Path::new("cases").join(name).exists(), "{page} names {name}, which does not exist");
            named += 1;
        }
    }
    assert!(named > 20, "the programs were found");
}
