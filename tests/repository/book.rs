//! Nothing in the book rots: each Rust listing is compiled by something, each error message is one of the UI
//! tests', and what is included, linked to or shown exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a listing may come from: cargo builds all of these.
const COMPILED: [&str; 2] = ["examples/", "ui-tests/cases/"];

/// A fenced block: the words behind its fence, and what it holds.
struct Block<'a> {
    line: usize,
    info: &'a str,
    body: String,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(info) if !open => {
                blocks.push(Block { line: index + 1, info: info.trim(), body: String::new() });
                open = true;
            }
            Some(_) => open = false,
            None if open => {
                let block = blocks.last_mut().expect("one is open");
                block.body += line;
                block.body.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// The path and the anchor of each `{{#include …}}`.
fn includes(text: &str) -> Vec<(&str, Option<&str>)> {
    let inner = text.split("{{#include ").skip(1).map(|rest| rest.split("}}").next().unwrap_or(rest));
    inner.map(|inner| inner.split_once(':').map_or((inner, None), |(path, of)| (path, Some(of)))).collect()
}

/// A path from the repository's root, without `..`.
fn from_root(page_folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = page_folder.split('/').collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// What is wrong with a page. `tested` says whether its own listings are doctests.
fn faults(text: &str, tested: bool) -> Vec<String> {
    const FOLDER: &str = "book/src";
    let mut faults = Vec::new();
    let mut fault = |line: usize, what: String| faults.push(format!("line {line}: {what}"));
    for block in blocks(text) {
        let only_include = match includes(&block.body)[..] {
            [(path, _)] if block.body.trim().starts_with("{{#include") && block.body.lines().count() == 1 => {
                Some(from_root(FOLDER, path))
            }
            _ => None,
        };
        let words: Vec<&str> = block.info.split([',', ' ']).collect();
        match words[0] {
            "" => fault(block.line, "a block says what it holds: rust, text, sh, toml, …".to_string()),
            "rust" => match &only_include {
                Some(path) if COMPILED.iter().any(|folder| path.starts_with(folder)) => {}
                Some(path) => fault(block.line, format!("a listing from {path}, which nothing compiles")),
                None if !tested => fault(block.line, "a listing on a page that is not tested".to_string()),
                None => {
                    for word in words.iter().filter(|word| ["ignore", "no_run"].contains(*word)) {
                        fault(block.line, format!("a listing that is not run: {word}"));
                    }
                }
            },
            _ => {
                let message = block.body.lines().any(|line| line.starts_with("error"));
                if message {
                    fault(block.line, "a compiler's message that is not included from a test".to_string());
                }
            }
        }
    }
    for (path, anchor) in includes(text) {
        match fs::read_to_string(from_root(FOLDER, path)) {
            Err(_) => fault(0, format!("{path} is included and does not exist")),
            Ok(of) => {
                let begins = |anchor: &str| {
                    let mut anchors = of.split("ANCHOR: ").skip(1);
                    anchors.any(|rest| rest.split_whitespace().next() == Some(anchor))
                };
                if let Some(anchor) = anchor.filter(|anchor| !begins(anchor)) {
                    fault(0, format!("{path} has no ANCHOR: {anchor}"));
                }
            }
        }
    }
    for (before, link) in text.split("](").collect::<Vec<_>>().windows(2).map(|pair| (pair[0], pair[1])) {
        let target = link.split([')', '#']).next().unwrap_or(link);
        let image = before.rfind('[').map(|at| (before[..at].ends_with('!'), &before[at + 1..]));
        if let Some((true, "")) = image {
            fault(0, format!("the picture {target} has no text beside it"));
        }
        let elsewhere = target.is_empty() || target.contains("://");
        if !elsewhere && !Path::new(&from_root(FOLDER, target)).exists() {
            fault(0, format!("a link to {target}, which does not exist"));
        }
    }
    faults
}

fn pages() -> Vec<(String, PathBuf)> {
    let files = fs::read_dir("book/src").unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_string(), path))
        .collect()
}

#[test]
fn every_listing_is_compiled_and_everything_shown_exists() {
    let library = fs::read_to_string("src/lib.rs").unwrap();
    let mut found = Vec::new();
    let mut listings = 0;
    for (name, path) in pages() {
        let text = fs::read_to_string(path).unwrap();
        let tested = library.contains(&format!("include_str!(\"../book/src/{name}\")"));
        listings += blocks(&text).iter().filter(|block| block.info.starts_with("rust")).count();
        found.extend(faults(&text, tested).into_iter().map(|fault| format!("book/src/{name}, {fault}")));
    }
    println!("{listings} listings");
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    assert!(listings > 50, "the listings were found");
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = fs::read_to_string("book/src/SUMMARY.md").unwrap();
    let named: BTreeSet<&str> =
        summary.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    let pages = pages();
    let there: BTreeSet<&str> =
        pages.iter().map(|(name, _)| &name[..]).filter(|name| *name != "SUMMARY.md").collect();
    assert_eq!(named, there);
}

/// The checker finds what it is there to find.
#[test]
fn a_page_that_rots_is_found() {
    let rots = [
        ("```rust\nlet x = 1;\n```\n", false, "not tested"),
        ("```rust,ignore\nlet x = 1;\n```\n", true, "not run: ignore"),
        ("```rust,no_run\nlet x = 1;\n```\n", true, "not run: no_run"),
        ("```\nlet x = 1;\n```\n", true, "says what it holds"),
        ("```rust,ignore\n{{#include ../../docs/bugs.md}}\n```\n", true, "nothing compiles"),
        ("```rust,ignore\n{{#include ../../examples/none.rs}}\n```\n", true, "does not exist"),
        ("```rust,ignore\n{{#include ../../examples/list.rs:none}}\n```\n", true, "has no ANCHOR: none"),
        ("```rust,ignore\nlet x = 1;\n{{#include ../../examples/list.rs:push}}\n```\n", true, "not run"),
        ("```text\nerror[E0277]: made up\n```\n", true, "not included from a test"),
        ("[there](nowhere.md#part)\n", true, "nowhere.md, which does not exist"),
        ("![](img/states.svg)\n", true, "no text"),
        ("![states](img/none.svg)\n", true, "img/none.svg, which does not exist"),
    ];
    for (page, tested, fault) in rots {
        let found = faults(page, tested);
        assert!(found.iter().any(|line| line.contains(fault)), "{page}: {found:?}");
    }
    let fresh = "```rust\nlet x = 1;\n```\n```rust,ignore\n{{#include ../../examples/list.rs:push}}\n```\n\
        ```text\n{{#include ../../ui-tests/cases/order/publish_dirty.stderr}}\n```\n[a](why.md#x) ![b](img/states.svg)\n";
    assert_eq!(faults(fresh, true), Vec::<String>::new());
}
