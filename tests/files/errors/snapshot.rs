//! The texts of all errors, in one file for a reviewer to read.

use crate::child;
use indelible::Error;
use indelible::medium::PageCache;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const PREAMBLE: &str = "\
What each bad input is answered, as tests/files/errors shows it. The folder is called /pmem here, and random
numbers 0x(16 digits). Written by `INDELIBLE_BLESS=1 cargo test --test errors`.
";

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/errors/errors.txt")
}

fn blessing() -> bool {
    std::env::var_os("INDELIBLE_BLESS").is_some()
}

/// Sections by the names of their cases.
fn read() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(file()).unwrap_or_default();
    let sections = text.split("\n## ").skip(1);
    sections
        .filter_map(|section| section.split_once('\n'))
        .map(|(case, body)| (case.to_string(), body.trim_end().to_string()))
        .collect()
}

/// Compares an error with the section of its case. A child process hands it to its parent.
#[track_caller]
pub fn check(case: &str, error: &Error, folder: &Path) {
    let debug = format!("{error:?}");
    let variant = debug.split(':').next().unwrap_or_default();
    let text = normalise(&error.to_string(), folder);
    compare(case, &format!("{variant}\n{text}"));
}

#[track_caller]
pub fn compare(case: &str, body: &str) {
    if child::is_child() {
        return child::report(case, body);
    }
    let mut sections = read();
    if blessing() {
        static WRITTEN: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
        let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
        let first = written.entry(case.to_string()).or_insert_with(|| body.to_string());
        assert_eq!(body, first, "{case}: one case, two texts");
        sections.insert(case.to_string(), body.trim_end().to_string());
        let sections: String = sections.iter().map(|(case, body)| format!("\n## {case}\n{body}\n")).collect();
        std::fs::write(file(), format!("{PREAMBLE}{sections}")).expect("the snapshot can be written");
        return;
    }
    let expected = sections.get(case).map(String::as_str);
    assert_eq!(Some(body.trim_end()), expected, "{case}: INDELIBLE_BLESS=1 writes the text anew");
}

/// The text without what differs from run to run.
fn normalise(text: &str, folder: &Path) -> String {
    let mut text = text.replace(&folder.display().to_string(), "/pmem");
    // The place in a test's own source, which only builds with debug assertions know.
    if let Some(start) = text.find(" (the first of them at ")
        && let Some(len) = text[start..].find(')')
    {
        text.replace_range(start..start + len + 1, "");
    }
    let mut parts = text.split("0x");
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        out.push_str("0x");
        match digits {
            16 => out.push_str(&format!("(16 digits){}", &part[digits..])),
            _ => out.push_str(part),
        }
    }
    out
}

/// Errors that no test can cause on an ordinary machine.
fn by_hand() -> Vec<(&'static str, Error)> {
    let path = || PathBuf::from("/pmem/x");
    vec![
        (
            "by hand: a snapshot of a device",
            Error::Unsupported {
                path: "/dev/dax0.0".into(),
                what: "device DAX has no private mappings, so that a region there can't be read without changing it; copy the device to a file and open that, or open the device with `MapSync`",
            },
        ),
        ("by hand: close in a child of fork", Error::OtherProcess { opened: 100, this: 101 }),
        ("by hand: a device that holds a region", Error::DeviceInUse { path: "/dev/dax0.0".into() }),
        (
            "by hand: memory without a persistence domain",
            Error::NoPersistenceDomain { path: path(), looked_at: "/sys/dev/block/259:0".to_string() },
        ),
        (
            "by hand: a device in famfs mode",
            Error::DeviceMode { path: path(), driver: "fsdev_dax".to_string() },
        ),
        (
            "by hand: bad blocks in the file",
            Error::BadBlocks { path: path(), ranges: vec![0x8000..0x8200, 0x20000..0x21000] },
        ),
        (
            "by hand: many bad blocks in the file",
            Error::BadBlocks { path: path(), ranges: (0..20).map(|n| n * 4096..n * 4096 + 512).collect() },
        ),
        (
            "by hand: memory that lost power without saving everything",
            Error::UnsafeShutdown { path: path(), recorded: 3, found: 4 },
        ),
        (
            "by hand: a CPU that can't flush",
            Error::NoFlushInstruction { reason: "it has no clwb, clflushopt or clflush" },
        ),
        (
            "by hand: a write-back failed at open",
            Error::NotWrittenBack { path: path(), reason: "msync: I/O error".to_string() },
        ),
        ("by hand: a write-back failed", Error::Poisoned { reason: "msync: I/O error".to_string() }),
        ("by hand: a log is full", Error::LogFull { needed: 144, used: 65_456, capacity: 65_536 }),
        (
            "by hand: numbers that are used up",
            Error::UsedUp {
                numbers: "numbers of this log's truncations at the back",
                last: (1 << 30) - 1,
                instead: "move its records into a new ring with `Log::resize`, where they begin anew",
            },
        ),
        (
            "by hand: the commit's own write-back failed",
            Error::OutcomeUnknown { reason: "msync: I/O error".to_string() },
        ),
    ]
}

#[test]
fn errors_that_no_test_can_cause_read_well_too() {
    let folder = crate::support::Folder::new();
    for (case, error) in by_hand() {
        check(case, &error, folder.path());
    }
}

#[test]
fn every_variant_has_a_text_in_the_snapshot() {
    let _alone = crate::support::Folder::new();
    if blessing() {
        return; // it is not whole yet
    }
    let shown = read();
    let source = include_str!("../../../src/error.rs");
    let (_, variants) = source.split_once("pub enum Error {").expect("the enum");
    let (variants, _) = variants.split_once("\n}\n").expect("its end");
    let variants = variants.lines().filter_map(|line| {
        let name = line.strip_prefix("    ")?.split(['(', ',', ' ']).next()?;
        name.starts_with(|first: char| first.is_ascii_uppercase()).then_some(name)
    });
    let mut count = 0;
    for variant in variants {
        count += 1;
        let shown = shown.values().any(|body| body.lines().next() == Some(variant));
        assert!(shown, "no case in the snapshot shows Error::{variant}");
    }
    assert!(count > 20, "the variants were not found in src/error.rs");
}

#[test]
fn every_section_of_the_snapshot_belongs_to_a_case() {
    let _alone = crate::support::Folder::new();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/errors");
    let sources: String = std::fs::read_dir(tests)
        .expect("the tests' source")
        .map(|file| file.expect("a listed file").path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .map(|file| std::fs::read_to_string(file).expect("a source"))
        .collect();
    for case in read().keys() {
        assert!(sources.contains(&format!("\"{case}\"")), "no test has the case {case:?} any more");
    }
}

#[test]
fn an_applications_own_error_is_shown_as_it_is() {
    let folder = crate::support::Folder::new();
    let mut bank = crate::support::create::<PageCache>(&folder.join("x"), crate::support::LEN).expect("room");
    let error = bank.transact(|_, _| Err::<(), _>(Error::other("insufficient funds"))).expect_err("aborted");
    check("transaction: an application's own reason", &error, folder.path());
}

/// The chapter "On real hardware": every error that it shows is one of the snapshot's, and it names every
/// outcome that the matrix of `tests/dax` has.
#[test]
fn the_book_shows_the_errors_of_real_hardware_as_they_are() {
    let _alone = crate::support::Folder::new();
    if blessing() {
        return; // the snapshot is not whole yet
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("book/src/on-real-hardware.md")).expect("the page");
    // What can't be told from the place that the text is about.
    let plain = |text: &str| text.split_once(": ").map_or(text, |(_, rest)| rest).trim_end().to_string();
    let known: Vec<(String, String)> = read()
        .into_values()
        .filter_map(|body| body.split_once('\n').map(|(variant, text)| (variant.to_string(), plain(text))))
        .collect();
    let mut shown = std::collections::BTreeSet::new();
    for block in page.split("```text,wrap\n").skip(1) {
        let text = plain(block.split("\n```").next().unwrap_or_default());
        let found = known.iter().find(|(_, known)| *known == text);
        shown.insert(found.unwrap_or_else(|| panic!("no such error: {text}")).0.clone());
    }
    let matrix = std::fs::read_to_string(root.join("tests/dax/matrix")).expect("the matrix");
    for line in matrix.lines() {
        let Some((_, refused)) = line.split_once(" refused ") else { continue };
        let variant = refused.split([' ', ',']).next().unwrap_or_default();
        assert!(
            page.contains(&format!("`{variant}`")),
            "the page does not name {variant}, which the matrix has"
        );
        // The one that has a text for each medium.
        assert!(variant == "Unsupported" || shown.contains(variant), "the page does not show {variant}");
    }
    assert!(shown.contains("BadBlocks") && shown.contains("UnsafeShutdown"));
}
