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

/// What the derive's expansions name by the path that the user gives, and the program in which that is another thing:
/// it must be refused, or do no harm. All of them together are another thing in `own_everything.rs` and `own_names.rs`.
const NAMED: [(&str, &str); 8] = [
    ("Flag", "bypass/own_or.rs"),
    ("No", "bypass/own_no.rs"),
    ("Persistent", "bypass/own_persistent.rs"),
    ("Target", "pass/own_names.rs"),
    ("__private::Arg", "bypass/own_argument.rs"),
    ("__private::Field", "bypass/own_field.rs"),
    ("__private::Variant", "bypass/own_variant.rs"),
    ("__private::check", "bypass/own_check.rs"),
];

#[test]
fn each_name_that_an_expansion_uses_is_replaced_in_a_program() {
    let mut named = std::collections::BTreeSet::new();
    for file in files(Path::new("../derive/snapshots")) {
        let code = fs::read_to_string(&file).unwrap();
        let first = |path: &str| {
            let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
            path[..end].to_string()
        };
        for path in code.split("::indelible::").skip(1) {
            let name = match path.strip_prefix("__private::") {
                Some(inner) => format!("__private::{}", first(inner)),
                None => first(path),
            };
            named.insert(name);
        }
        for elsewhere in ["::core::", "::std::", "::alloc::", "zerocopy", "macro_rules", "!("] {
            assert!(!code.contains(elsewhere), "{} names {elsewhere}", file.display());
        }
    }
    assert_eq!(named.iter().map(String::as_str).collect::<Vec<_>>(), NAMED.map(|(name, _)| name));
    for (_, case) in NAMED {
        assert!(Path::new("cases").join(case).exists(), "{case} does not exist");
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
