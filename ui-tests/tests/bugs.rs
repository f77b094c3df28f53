//! `docs/bugs.md` says for each published bug where it dies; what it names is there.

use std::fs;
use std::path::Path;

const ROWS: std::ops::RangeInclusive<usize> = 1..=30;
const TOPICS: [&str; 6] = ["order/", "state/", "region/", "layout/", "derive/", "bypass/"];

/// The rows of the table: number, class, and what stands between backquotes in the last column.
fn rows() -> Vec<(usize, String, Vec<String>)> {
    let page = fs::read_to_string("../docs/bugs.md").unwrap();
    page.lines()
        .filter_map(|line| {
            let columns: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let number = columns[0].parse().ok()?;
            let [_, _, _, class, place] = columns[..] else { panic!("five columns: {line}") };
            let names = place.split('`').skip(1).step_by(2).map(str::to_string).collect();
            Some((number, class.to_string(), names))
        })
        .collect()
}

#[test]
fn every_bug_has_a_row() {
    let numbers: Vec<usize> = rows().into_iter().map(|(number, ..)| number).collect();
    assert_eq!(numbers, ROWS.collect::<Vec<_>>());
}

#[test]
fn what_a_row_names_exists() {
    for (number, _, names) in rows() {
        assert!(!names.is_empty(), "row {number} names nothing");
        let mut source = String::new();
        for name in names {
            let case = TOPICS.iter().any(|topic| name.starts_with(topic));
            if case {
                assert!(Path::new("cases").join(&name).exists(), "row {number} names {name}: no such case");
            } else if name.ends_with(".rs") {
                source = fs::read_to_string(Path::new("..").join(&name))
                    .unwrap_or_else(|error| panic!("row {number} names {name}: {error}"));
            } else {
                let test = format!("fn {name}(");
                assert!(
                    source.contains(&test),
                    "row {number} names {name}: no such test in the file before it"
                );
            }
        }
    }
}

/// A mistake that must not compile has a case that says whose it was, in a header that names the row.
#[test]
fn every_bug_that_must_not_compile_has_a_case_of_its_own() {
    for (number, class, names) in rows() {
        if !class.starts_with('T') {
            continue;
        }
        let said = format!("//! BUGS {number} (");
        let cases = names.iter().filter(|name| TOPICS.iter().any(|topic| name.starts_with(topic)));
        let says = |name: &&String| {
            let program = fs::read_to_string(Path::new("cases").join(name)).unwrap();
            program.contains(&said)
        };
        assert!(cases.filter(says).count() > 0, "row {number}: no case has the line {said}…)");
    }
}

/// The other way round: a case that names a row is named by it.
#[test]
fn every_case_that_names_a_bug_is_in_its_row() {
    let rows = rows();
    for topic in TOPICS {
        for entry in fs::read_dir(Path::new("cases").join(topic)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let program = fs::read_to_string(&path).unwrap();
            let Some((_, rest)) = program.split_once("//! BUGS ") else { continue };
            let number: usize = rest.split(' ').next().and_then(|number| number.parse().ok()).unwrap();
            let name = format!("{topic}{}", path.file_name().unwrap().to_str().unwrap());
            let row = rows.iter().find(|(row, ..)| *row == number).unwrap();
            assert!(row.2.contains(&name), "{name} names row {number}, which does not name it");
        }
    }
}

/// Row 27: `dc cvau` cleans to the point of unification, where code and data meet, and `dc cvac` to that of
/// coherency. Only `dc cvap` names persistence. (The Arm build itself is run by `tests/aarch64/run`.)
#[test]
fn arm_is_flushed_by_dc_cvap_only() {
    let source = fs::read_to_string("../src/flush/aarch64.rs").unwrap();
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let cleans: Vec<&str> =
        code.flat_map(|line| line.split("\"dc ").skip(1).filter_map(|rest| rest.split(',').next())).collect();
    assert_eq!(cleans, ["cvap"]);
}
