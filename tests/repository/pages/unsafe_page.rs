//! `docs/unsafe.md` lists every `unsafe` of the sources: each file, with how many of each kind it has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

/// What a file has of each kind.
#[derive(Default, PartialEq, Eq, Clone, Copy)]
struct Counts([usize; 4]);

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (count, kind)) in self.0.iter().zip(["block", "function", "impl", "trait"]).enumerate() {
            let (comma, plural) = (if i == 0 { "" } else { ", " }, if *count == 1 { "" } else { "s" });
            write!(f, "{comma}{count} {kind}{plural}")?;
        }
        Ok(())
    }
}

impl Counts {
    /// Counts in code, not in comments.
    fn of(source: &str) -> Self {
        let mut counts = Counts::default();
        for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for (count, start) in
                counts.0.iter_mut().zip(["unsafe {", "unsafe fn ", "unsafe impl", "unsafe trait "])
            {
                *count += line.matches(start).count();
            }
        }
        counts
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_page_lists_every_file_with_unsafe_and_how_much_of_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("derive/src"), &mut files);
    let expected: BTreeMap<String, String> = files
        .iter()
        .map(|file| (file, Counts::of(&fs::read_to_string(file).unwrap())))
        .filter(|(_, counts)| *counts != Counts::default())
        .map(|(file, counts)| {
            (file.strip_prefix(root).unwrap().to_str().unwrap().to_string(), counts.to_string())
        })
        .collect();

    let page = fs::read_to_string(root.join("docs/unsafe.md")).unwrap();
    let listed: BTreeMap<String, String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## `")?.split_once("`: "))
        .map(|(file, counts)| (file.to_string(), counts.to_string()))
        .collect();
    assert_eq!(
        listed, expected,
        "docs/unsafe.md (left) and the sources (right); look at what changed, then say it"
    );
}

/// Every test and case that the page names is there.
#[test]
fn the_page_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/unsafe.md")).unwrap();
    for name in page.split('`').skip(1).step_by(2) {
        if name.contains('/') && name.ends_with(".rs") && !name.contains('*') {
            let places =
                [root.join(name), root.join("src").join(name), root.join("ui-tests/cases").join(name)];
            assert!(
                places.iter().any(|place| place.exists()),
                "docs/unsafe.md names {name}, which does not exist"
            );
        }
    }
}
