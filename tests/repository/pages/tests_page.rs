//! `tests/README.md` leads to every test, and what it names is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = "tests/README.md";
/// The folders of tests that cargo runs.
const QUESTIONS: [&str; 6] = ["api", "crash", "files", "containers", "costs", "repository"];

fn page() -> String {
    fs::read_to_string(PAGE).expect("the page")
}

/// The names and paths of the targets that `Cargo.toml` declares.
fn declared() -> BTreeSet<(String, String)> {
    let manifest = fs::read_to_string("Cargo.toml").expect("the manifest");
    let value = |of: &str, key: &str| {
        let line = of.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
        line.and_then(|line| line.strip_suffix('"')).expect("a name and a path").to_string()
    };
    manifest
        .split("[[test]]\n")
        .skip(1)
        .map(|target| (value(target, "name"), value(target, "path")))
        .collect()
}

/// Cargo is told where each test is (`autotests = false`), so that one could be forgotten.
#[test]
fn every_file_is_a_target() {
    let mut found = BTreeSet::new();
    for question in QUESTIONS {
        for entry in fs::read_dir(Path::new("tests").join(question)).expect("a folder") {
            let path = entry.expect("a listed file").path();
            let main = if path.is_dir() { path.join("main.rs") } else { path };
            if main.exists() {
                found.insert(main);
            }
        }
    }
    // Nor does one that stands beside the folders.
    let beside = fs::read_dir("tests").expect("a folder").map(|entry| entry.expect("a listed file").path());
    found.extend(beside.filter(|path| path.extension().is_some_and(|extension| extension == "rs")));
    let declared: BTreeSet<PathBuf> = declared().into_iter().map(|(_, path)| path.into()).collect();
    assert_eq!(found, declared, "the files (left), and the targets of Cargo.toml (right)");
}

#[test]
fn every_target_has_a_row() {
    let rows: BTreeSet<(String, String)> = page()
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("| `")?.split_once("` | `")?;
            let (place, _) = rest.split_once("` | ")?;
            let main = if place.ends_with('/') { "main.rs" } else { "" };
            QUESTIONS
                .contains(&place.split('/').next()?)
                .then(|| (name.into(), format!("tests/{place}{main}")))
        })
        .collect();
    assert_eq!(rows, declared(), "the rows of {PAGE} (left), and the targets of Cargo.toml (right)");
}

/// Files by their paths, and behind each the tests in it.
#[test]
fn what_it_names_exists() {
    let page = page();
    let (_, claims) = page.split_once("## The test of a claim").expect("the tables of claims");
    for row in claims.lines().filter_map(|line| line.strip_prefix("| ")) {
        let Some((claim, shown_by)) = row.strip_suffix(" |").and_then(|row| row.rsplit_once(" | ")) else {
            continue;
        };
        let mut source = None;
        for name in shown_by.split('`').skip(1).step_by(2).filter(|name| !name.ends_with('/')) {
            if name.contains('/') {
                source =
                    Some(fs::read_to_string(name).unwrap_or_else(|error| panic!("{claim}: {name}: {error}")));
            } else {
                let test = format!("fn {name}(");
                let found = source.as_ref().is_some_and(|source| source.contains(&test));
                assert!(found, "{claim}: there is no test {name} in the file before it");
            }
        }
        assert!(source.is_some() || claim == "claim" || claim == "section", "{claim}: nothing is named");
    }
}

/// Each mistake that `src/lib.rs` says is rejected has a row in the page, in the same words.
#[test]
fn every_claim_of_the_crates_own_page_has_a_row() {
    let (page, library) = (page(), fs::read_to_string("src/lib.rs").expect("the source"));
    let mut claims = 0;
    for heading in ["//! # Rejected by the compiler\n", "//! # Rejected at run time\n"] {
        let (_, section) = library.split_once(heading).expect("the section");
        let section = section.split("//! # ").next().unwrap_or_default();
        for row in section.lines().filter_map(|line| line.strip_prefix("//! | ")).skip(1) {
            let claim = without_links(row.split(" | ").next().unwrap_or_default());
            assert!(page.contains(&format!("| {claim} | `")), "no row shows: {claim}");
            claims += 1;
        }
    }
    assert!(claims > 10, "the claims were found");
}

/// "[`Dirty`](state::Dirty)" is "`Dirty`".
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    for (number, part) in text.split("[`").enumerate() {
        match part.split_once("`]") {
            Some((name, rest)) if number > 0 => {
                let rest = rest
                    .strip_prefix('(')
                    .and_then(|rest| rest.split_once(')'))
                    .map_or(rest, |(_, rest)| rest);
                plain += &format!("`{name}`{rest}");
            }
            _ => plain += part,
        }
    }
    plain
}
