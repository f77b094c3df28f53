//! The design can be relied on: what cites `docs/design.md` cites a number that is there, what the page refers to
//! exists, and each rule of the commit protocol that the explorer can break is named in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = "docs/design.md";
/// Where citations are looked for.
const CITING: [&str; 11] = [
    "src",
    "derive/src",
    "tests",
    "ui-tests/cases",
    "benches",
    "examples",
    "book/src",
    "docs",
    ".ci",
    "CONTRIBUTING.md",
    "README.md",
];

/// The numbers of the page's headings and paragraphs, and what is wrong with them.
fn numbers(page: &str) -> (BTreeSet<String>, Vec<String>) {
    let (mut numbers, mut faults) = (BTreeSet::new(), Vec::new());
    let (mut section, mut paragraph) = (0, 0);
    for line in page.lines() {
        if let Some((number, _)) = line.strip_prefix("## ").and_then(|rest| rest.split_once(". ")) {
            let number: usize = number.parse().unwrap_or(0);
            if number <= section {
                faults.push(format!("a section with a number that does not rise: {line}"));
            }
            (section, paragraph) = (number, 0);
            numbers.insert(number.to_string());
        } else if line.starts_with("## ") {
            faults.push(format!("a section without a number: {line}"));
        } else if let Some(number) = line.strip_prefix("**").and_then(first_number) {
            let (of, own) = number.split_once('.').unwrap_or((number, "0"));
            let own: usize = own.parse().expect("digits");
            if of != section.to_string() || own <= paragraph {
                faults.push(format!("{number} does not follow {section}.{paragraph}"));
            }
            paragraph = own;
            numbers.insert(number.to_string());
        }
    }
    (numbers, faults)
}

/// The `7` or `7.5` at the start of a text; a full stop behind it is not part of it.
fn first_number(text: &str) -> Option<&str> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let part = text[whole..].strip_prefix('.').map_or(0, digits);
    let len = if part > 0 { whole + 1 + part } else { whole };
    (whole > 0).then_some(&text[..len])
}

/// The text without line breaks, and without what begins the lines of a comment.
fn flowing(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim();
        ["//!", "///", "//", "#"].iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or(line).trim()
    });
    lines.collect::<Vec<_>>().join(" ")
}

/// What a text cites of the page. An error for a mention that is neither a citation nor a path in quotes.
fn citations(text: &str) -> Vec<Result<String, String>> {
    let flowing = flowing(text);
    let mut found = Vec::new();
    for rest in flowing.split(PAGE).skip(1) {
        let mut rest = rest;
        let mut cited = 0;
        let between: &[&str] = &[", ", " and ", " to "];
        while let Some((number, behind)) = between.iter().find_map(|between| {
            let rest = rest.strip_prefix(between)?;
            let number = first_number(rest)?;
            Some((number, &rest[number.len()..]))
        }) {
            found.push(Ok(number.to_string()));
            (rest, cited) = (behind, cited + 1);
        }
        if cited == 0 && !rest.starts_with(['"', '`', ')', ']']) {
            found.push(Err(format!("{PAGE}{}", rest.chars().take(20).collect::<String>())));
        }
    }
    found
}

/// What the page refers to in itself: every number with a full stop in it, but for those of other things.
fn references(page: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = page[at..].find(|char: char| char.is_ascii_digit()).map(|start| at + start) {
        let number = first_number(&page[start..]).expect("it begins with a digit");
        let before = &page[..start];
        let other = ["Linux ", "version "].iter().any(|other| before.ends_with(other));
        if number.contains('.') && !other {
            found.push(number);
        }
        at = start + number.len();
    }
    found
}

/// The variants of the enum `Rule`, wherever it stands.
fn rules(source: &str) -> Vec<&str> {
    let body =
        source.split_once("pub enum Rule {\n").map_or("", |(_, rest)| rest.split("\n}").next().unwrap());
    body.lines().filter_map(|line| line.trim().strip_suffix(',')).filter(|name| !name.contains(' ')).collect()
}

/// The rules that the page's tables explain.
fn explained(page: &str) -> BTreeSet<&str> {
    let mut explained = BTreeSet::new();
    let mut of_rules = false;
    for line in page.lines() {
        of_rules = line.starts_with("| `Rule` |") || (of_rules && line.starts_with('|'));
        let name = line.strip_prefix("| `").and_then(|rest| rest.split('`').next());
        if let Some(name) = name.filter(|name| of_rules && *name != "Rule") {
            explained.insert(name);
        }
    }
    explained
}

/// Every file below a path, but for what was built.
fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()) {
            if !entry.ends_with("target") {
                files(&entry, found);
            }
        }
    } else {
        found.push(path.to_path_buf());
    }
}

/// The texts that may cite the page.
fn texts() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    CITING.iter().for_each(|path| files(Path::new(path), &mut found));
    let text = |path: PathBuf| fs::read_to_string(&path).ok().map(|text| (path, text));
    found.into_iter().filter_map(text).collect()
}

#[test]
fn every_citation_leads_to_a_number() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (numbers, mut faults) = numbers(&page);
    assert!(numbers.len() > 100, "the numbers were found");
    let mut cited_by_code = 0;
    for (path, text) in texts() {
        let in_code = path.starts_with("src");
        for citation in citations(&text) {
            match citation {
                Ok(number) if numbers.contains(&number) => cited_by_code += usize::from(in_code),
                Ok(number) => faults.push(format!("{}: there is no {number}", path.display())),
                Err(mention) => faults.push(format!("{}: no number behind {mention}", path.display())),
            }
        }
        // As it was called before it was a page here.
        if text.contains(concat!("DESIGN ", "section")) {
            faults.push(format!("{}: a design that is not here", path.display()));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    println!("{cited_by_code} citations in src");
    assert!(cited_by_code > 0, "nothing cites the design, or nothing was found");
}

#[test]
fn what_the_page_refers_to_exists() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (numbers, _) = numbers(&page);
    let missing: Vec<&str> =
        references(&page).into_iter().filter(|number| !numbers.contains(*number)).collect();
    assert!(missing.is_empty(), "there is no {missing:?}");
    let links = page.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap());
    for link in links {
        assert!(Path::new("docs").join(link).exists(), "{link} is linked to and does not exist");
    }
}

#[test]
fn every_rule_of_the_commit_is_explained() {
    let page = fs::read_to_string(PAGE).unwrap();
    let sources: Vec<String> =
        texts().into_iter().filter(|(path, _)| path.starts_with("src")).map(|(_, text)| text).collect();
    let rules: BTreeSet<&str> = sources.iter().flat_map(|text| rules(text)).collect();
    assert!(rules.len() > 20, "the rules were found");
    assert_eq!(rules, explained(&page));
}

/// The checker finds what it is there to find.
#[test]
fn a_citation_that_leads_nowhere_is_found() {
    let page = "## 1. One\n\n**1.1** See 1.3, Linux 4.15.\n\n**1.3** Now.\n\n## 2. Two\n\n**2.1** Then.\n";
    let (found, faults) = numbers(page);
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), ["1", "1.1", "1.3", "2", "2.1"]);
    assert!(faults.is_empty());
    assert_eq!(references(page), ["1.1", "1.3", "1.3", "2.1"]);
    for wrong in [
        "**1.1** a\n",
        "## 1. A\n**2.1** a\n",
        "## 1. A\n**1.2** a\n**1.1** b\n",
        "## A\n",
        "## 2. A\n## 2. B\n",
    ] {
        assert!(!numbers(wrong).1.is_empty(), "{wrong}");
    }

    let cited = |text: &str| {
        let cited = citations(&text.replace("PAGE", PAGE));
        cited.into_iter().map(|citation| citation.unwrap_or_else(|_| "?".to_string())).collect::<Vec<_>>()
    };
    assert_eq!(cited("// Rule 5 (PAGE, 1.1)."), ["1.1"]);
    assert_eq!(cited("//! as PAGE, 1.1, 9.9 and 2 say."), ["1.1", "9.9", "2"]);
    assert_eq!(cited("    /// Why: PAGE,\n    /// 1.3."), ["1.3"]);
    assert_eq!(cited("| `PAGE` | [the page](PAGE) | read(\"PAGE\")"), [""; 0]);
    assert_eq!(cited("// see PAGE"), ["?"]);
    assert_eq!(cited("// see PAGE, the fifth rule"), ["?"]);

    let source = "pub enum Rule {\n    /// 1: one, and\n    /// two,\n    First,\n    Second,\n}\n";
    assert_eq!(rules(source), ["First", "Second"]);
    let tables = "| `Rule` | a |\n|---|---|\n| `First` | b |\n\n| other |\n| `Second` | c |\n";
    assert_eq!(explained(tables).into_iter().collect::<Vec<_>>(), ["First"]);
}
