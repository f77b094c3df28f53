//! The floors of the house (`CONTRIBUTING.md`, "Where things are"): what each part of the library may use of the others,
//! and no two files that use each other.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;
use syn::Item;

/// From the ground up: a part, and the parts that it may use.
const FLOORS: &[(&str, &str)] = &[
    ("error", ""),
    ("state", ""),
    ("observe", ""),
    ("persistent", ""),
    ("flush", "error"),
    ("word", "persistent"),
    ("pm", "persistent state"),
    ("medium", "error flush observe"),
    ("format", "error flush medium observe persistent"),
    ("options", "error format medium"),
    ("link", "flush format persistent"),
    ("heap", "flush format"),
    ("tx", "error flush format heap link medium observe persistent pm state word"),
    ("region", "error flush format heap medium observe options persistent tx"),
    ("mapping", "error flush medium observe options state"),
    // On the public API, as a user's own containers are; `format` for the memory of a log.
    ("collections", "api format medium persistent state"),
    ("power", "error flush format mapping medium observe options persistent region tx"),
];

/// The files of a crate, each with the modules that it names outside of tests.
#[derive(Clone)]
struct Crate(BTreeMap<String, BTreeSet<String>>);

impl Crate {
    /// All of `folder`, where files are modules as usual; `ab` is the file `ab.rs` or `ab/mod.rs`, and the root is "".
    fn read(folder: &Path) -> Self {
        let mut sources = BTreeMap::new();
        collect(folder, folder, &mut sources);
        let modules: BTreeSet<String> = sources.keys().cloned().collect();
        Crate(
            sources
                .into_iter()
                .map(|(module, source)| {
                    let file = syn::parse_file(&source).unwrap_or_else(|error| panic!("{module}: {error}"));
                    let mut named = BTreeSet::new();
                    for item in file.items.into_iter().filter(|item| !is_test(item)) {
                        let tokens = quote::ToTokens::into_token_stream(item);
                        name_paths(&module, tokens, &mut named);
                    }
                    // The longest beginning that is a file: what is behind it is an item.
                    let files = named.into_iter().map(|mut path| {
                        while !path.is_empty() && !modules.contains(&path.join("::")) {
                            path.pop();
                        }
                        path.join("::")
                    });
                    let files = files.filter(|file| *file != module).collect();
                    (module, files)
                })
                .collect(),
        )
    }

    /// Files that use each other. A parent module and what is inside it are one thing in several files.
    fn circles(&self) -> Vec<(&str, &str)> {
        let inside = |one: &str, other: &str| {
            one.is_empty() || other.strip_prefix(one).is_some_and(|rest| rest.starts_with("::"))
        };
        let uses = |one: &str, other: &str| self.0.get(one).is_some_and(|used| used.contains(other));
        let pairs = self
            .0
            .iter()
            .flat_map(|(one, used)| used.iter().map(move |other| (one.as_str(), other.as_str())));
        pairs
            .filter(|&(one, other)| {
                one < other && uses(other, one) && !inside(one, other) && !inside(other, one)
            })
            .collect()
    }
}

fn collect(root: &Path, folder: &Path, sources: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("inside").with_extension("");
            let mut parts: Vec<&str> = name.iter().map(|part| part.to_str().expect("UTF-8")).collect();
            if matches!(parts.last(), Some(&("mod" | "lib" | "main"))) {
                parts.pop();
            }
            sources.insert(parts.join("::"), std::fs::read_to_string(&path).expect("readable"));
        }
    }
}

/// Whether it is there for tests only, or in a file of its own (which is read as such).
fn is_test(item: &Item) -> bool {
    let Item::Mod(module) = item else { return false };
    let test = |attr: &syn::Attribute| {
        attr.path().is_ident("cfg") && quote::ToTokens::to_token_stream(attr).to_string().contains("test")
    };
    module.content.is_none() || module.attrs.iter().any(test)
}

/// Notes the paths in these tokens that begin with `crate`, `super` or `self`, from the crate's root.
fn name_paths(module: &str, tokens: TokenStream, named: &mut BTreeSet<Vec<String>>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        let start = match &tokens[at] {
            TokenTree::Group(group) => {
                name_paths(module, group.stream(), named);
                None
            }
            TokenTree::Ident(word) if word == "crate" => Some(Vec::new()),
            TokenTree::Ident(word) if word == "super" || word == "self" => {
                Some(module.split("::").filter(|part| !part.is_empty()).map(str::to_string).collect())
            }
            _ => None,
        };
        match start {
            Some(from) if is_colons(&tokens[at + 1..]) => {
                let up = tokens[at].to_string() == "super";
                let mut from: Vec<String> = from;
                if up {
                    from.pop();
                }
                at = read_path(&tokens, at + 1, from, named);
            }
            _ => at += 1,
        }
    }
}

fn is_colons(tokens: &[TokenTree]) -> bool {
    let colon =
        |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    colon(tokens.first()) && colon(tokens.get(1))
}

/// Reads on behind a path's beginning, at its `::`; where it ends.
fn read_path(
    tokens: &[TokenTree],
    mut at: usize,
    mut path: Vec<String>,
    named: &mut BTreeSet<Vec<String>>,
) -> usize {
    while is_colons(&tokens[at..]) {
        match tokens.get(at + 2) {
            Some(TokenTree::Ident(word)) if word == "super" => drop(path.pop()),
            Some(TokenTree::Ident(word)) if word == "self" => {}
            Some(TokenTree::Ident(word)) => path.push(word.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in
                    inner.split(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ','))
                {
                    if let Some(TokenTree::Ident(word)) = branch.first() {
                        let mut path = path.clone();
                        match word.to_string().as_str() {
                            "self" => {}
                            "super" => drop(path.pop()),
                            name => path.push(name.to_string()),
                        }
                        read_path(branch, 1, path, named);
                    }
                }
                return at + 3;
            }
            _ => break,
        }
        at += 3;
    }
    named.insert(path);
    at
}

/// What of the library a part uses that it may not, as sentences.
fn broken(files: &Crate) -> Vec<String> {
    let mut broken = Vec::new();
    for (module, used) in &files.0 {
        let part = module.split("::").next().expect("one at least");
        if part.is_empty() || part == "lib" {
            continue; // the root re-exports
        }
        let Some(&(_, allowed)) = FLOORS.iter().find(|(name, _)| *name == part) else {
            broken.push(format!("`{part}` has no floor"));
            continue;
        };
        for other in used {
            let other_part = match other.split("::").next() {
                Some("") | None => "api",
                Some(other_part) => other_part,
            };
            if other_part != part && !allowed.split(' ').any(|name| name == other_part) {
                broken.push(format!("`{module}` uses `{other}`"));
            }
        }
    }
    broken
}

fn library() -> Crate {
    static FILES: LazyLock<Crate> = LazyLock::new(|| Crate::read(Path::new("src")));
    FILES.clone()
}

#[test]
fn each_part_uses_only_what_lies_below() {
    let files = library();
    assert_eq!(broken(&files), [] as [String; 0], "see `CONTRIBUTING.md`, \"Where things are\"");
    for (part, allowed) in FLOORS {
        let exists = |name: &str| files.0.keys().any(|module| module.split("::").next() == Some(name));
        assert!(exists(part), "{part}");
        allowed
            .split_whitespace()
            .filter(|name| *name != "api")
            .for_each(|name| assert!(exists(name), "{name}"));
    }
}

/// The order of the table is that of the floors.
#[test]
fn nothing_is_used_that_stands_further_down_in_the_table() {
    for (index, (part, allowed)) in FLOORS.iter().enumerate() {
        let below = |name: &str| FLOORS[..index].iter().any(|floor| floor.0 == name);
        for name in allowed.split_whitespace().filter(|name| *name != "api") {
            assert!(below(name), "{part} may use {name}");
        }
    }
}

#[test]
fn no_two_files_use_each_other() {
    for folder in
        ["src", "derive/src", "benches/peers/src", "benches/counts/src", "benches/databases/src", "examples"]
    {
        if Path::new(folder).exists() {
            let files = Crate::read(Path::new(folder));
            assert_eq!(files.circles(), [], "{folder}");
        }
    }
}

/// A test that reads code must be seen to read it.
#[test]
fn an_import_of_any_shape_that_breaks_the_floors_is_found() {
    let shapes = [
        "use crate::region::Region;",
        "use crate::{error::Error, region::{open, Region as R}};",
        "fn f() { crate::region::open::open(); }",
        "fn f(x: &super::super::region::Region<u8, ()>) {}",
        "macro_rules! m { () => { $crate::region::open::open() }; }",
    ];
    for shape in shapes {
        let mut files = library();
        let mut named = BTreeSet::new();
        name_paths("medium::map", shape.parse().expect("tokens"), &mut named);
        let named = named.into_iter().map(|path| path.join("::"));
        files.0.get_mut("medium::map").expect("it is there").extend(named);
        let found = broken(&files);
        assert!(
            found.iter().any(|line| line.starts_with("`medium::map` uses `region")),
            "{shape}: {found:?}"
        );
    }
    let mut files = library();
    files.0.get_mut("medium::map").expect("there").insert("medium::file".into());
    assert_eq!(files.circles().iter().filter(|pair| **pair == ("medium::file", "medium::map")).count(), 1);
}

/// `CONTRIBUTING.md` shows the table as it is here.
#[test]
fn the_table_is_in_contributing() {
    let page = std::fs::read_to_string("CONTRIBUTING.md").expect("there");
    for (part, allowed) in FLOORS {
        let allowed = allowed.replace("api", "the public API");
        let allowed = if allowed.is_empty() { "nothing".to_string() } else { allowed };
        let row = format!("| `{part}` | {allowed} |");
        assert!(page.contains(&row), "missing in CONTRIBUTING.md: {row}");
    }
}
