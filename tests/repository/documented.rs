//! Every public function shows in an example why one would call it: one of its own, or its type's. `cargo test
//! --doc` compiles them and runs them; this finds what has none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::{Attribute, Expr, ImplItem, Item, Lit, Meta, TraitItem, UseTree, Visibility};

/// The code that a reader sees in these docs: no text, no hidden lines, nothing that isn't compiled.
fn code(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
            Expr::Lit(text) => match &text.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    let (mut code, mut compiled) = (String::new(), None);
    for line in lines {
        let line = line.trim();
        match (line.strip_prefix("```"), compiled) {
            (Some(info), None) => compiled = Some(["", "rust", "no_run"].contains(&info)),
            (Some(_), Some(_)) => compiled = None,
            (None, Some(true)) if line != "#" && !line.starts_with("# ") => code = code + line + "\n",
            _ => {}
        }
    }
    code
}

/// Whether `name` is called in `code`, or given away as a function.
fn calls(code: &str, name: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let after = code[at + name.len()..].chars().next();
        code[..at].ends_with(['.', ':']) && !after.is_some_and(in_name)
    })
}

/// Whether these attributes say `doc(hidden)` or `cfg(test)`.
fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => {
            let inner = list.tokens.to_string();
            (list.path.is_ident("doc") && inner == "hidden") || (list.path.is_ident("cfg") && inner == "test")
        }
        _ => false,
    })
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// What the crate's sources say.
#[derive(Default)]
struct Crate {
    /// Types and traits that can be named from outside, by the folder that they are from: there are several of
    /// one name.
    public: BTreeSet<(String, String)>,
    /// The code in the docs of a type.
    types: BTreeMap<(String, String), String>,
    /// Functions: folder, type (empty for a free one), name, the code in their own docs.
    functions: Vec<(String, String, String, String)>,
}

impl Crate {
    /// What a `pub use` in this folder gives away.
    fn leaves(&mut self, tree: &UseTree, folder: &str) {
        let mut leaf = |name: &syn::Ident| {
            self.public.insert((folder.to_string(), name.to_string()));
        };
        match tree {
            UseTree::Path(path) => match &*path.ident.to_string() {
                "crate" => self.leaves(&path.tree, "lib"),
                inner if folder == "lib" => self.leaves(&path.tree, inner),
                _ => self.leaves(&path.tree, folder),
            },
            UseTree::Name(name) => leaf(&name.ident),
            UseTree::Rename(renamed) => leaf(&renamed.ident),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.leaves(tree, folder)),
            UseTree::Glob(_) => panic!("a glob hides what is public"),
        }
    }

    fn read(&mut self, file: &Path, public: bool) {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let folder = file.strip_prefix("src").unwrap().components().next().unwrap();
        let folder = folder.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_string();
        self.items(&syn::parse_file(&text).unwrap().items, &folder, file, public);
    }

    fn items(&mut self, items: &[Item], folder: &str, file: &Path, public: bool) {
        for item in items {
            let (attributes, visibility, name) = match item {
                Item::Struct(item) => (&item.attrs, &item.vis, item.ident.to_string()),
                Item::Enum(item) => (&item.attrs, &item.vis, item.ident.to_string()),
                Item::Trait(item) => (&item.attrs, &item.vis, item.ident.to_string()),
                Item::Use(item) => {
                    if public && is_public(&item.vis) && !is_hidden(&item.attrs) {
                        self.leaves(&item.tree, folder);
                    }
                    continue;
                }
                Item::Fn(item) => {
                    if public && is_public(&item.vis) && !is_hidden(&item.attrs) {
                        let name = item.sig.ident.to_string();
                        self.functions.push((folder.to_string(), String::new(), name, code(&item.attrs)));
                    }
                    continue;
                }
                Item::Impl(item) => {
                    let syn::Type::Path(of) = &*item.self_ty else { continue };
                    let of = of.path.segments.last().unwrap().ident.to_string();
                    for inner in item.items.iter().filter(|_| item.trait_.is_none()) {
                        if let ImplItem::Fn(inner) = inner
                            && is_public(&inner.vis)
                            && !is_hidden(&inner.attrs)
                        {
                            let name = inner.sig.ident.to_string();
                            self.functions.push((folder.to_string(), of.clone(), name, code(&inner.attrs)));
                        }
                    }
                    continue;
                }
                // The module of each CPU has a `path`, and nothing public.
                Item::Mod(item)
                    if !is_hidden(&item.attrs) && !item.attrs.iter().any(|of| of.path().is_ident("path")) =>
                {
                    let name = item.ident.to_string();
                    let public = public && is_public(&item.vis);
                    match &item.content {
                        Some((_, items)) => self.items(items, folder, file, public),
                        None => self.read(&module(file, &name), public),
                    }
                    continue;
                }
                _ => continue,
            };
            if let Item::Trait(item) = item {
                for inner in &item.items {
                    if let TraitItem::Fn(inner) = inner
                        && !is_hidden(&inner.attrs)
                        && is_public(visibility)
                    {
                        let method = inner.sig.ident.to_string();
                        self.functions.push((folder.to_string(), name.clone(), method, code(&inner.attrs)));
                    }
                }
            }
            if public && is_public(visibility) && !is_hidden(attributes) {
                self.public.insert((folder.to_string(), name.clone()));
            }
            let types = self.types.entry((folder.to_string(), name));
            match is_public(visibility) {
                true => _ = types.insert_entry(code(attributes)),
                false => _ = types.or_insert_with(|| code(attributes)),
            }
        }
    }

    /// The folder of the type that has this name in this folder: its own, or another's with `impl` blocks here.
    fn home(&self, folder: &str, name: &str) -> Option<(String, String)> {
        let here = (folder.to_string(), name.to_string());
        if self.types.contains_key(&here) {
            return Some(here);
        }
        self.types.keys().find(|(_, other)| other == name).cloned()
    }
}

/// The file of a module that `file` declares.
fn module(file: &Path, name: &str) -> PathBuf {
    let stem = file.file_stem().unwrap().to_str().unwrap();
    let folder = match stem {
        "lib" | "mod" => file.parent().unwrap().to_path_buf(),
        _ => file.with_extension(""),
    };
    let flat = folder.join(format!("{name}.rs"));
    if flat.exists() { flat } else { folder.join(name).join("mod.rs") }
}

#[test]
fn every_public_function_is_called_in_an_example() {
    let mut sources = Crate::default();
    sources.read(Path::new("src/lib.rs"), true);
    let mut without = Vec::new();
    let mut seen = 0;
    for (folder, of, name, own) in &sources.functions {
        let home = sources.home(folder, of);
        if home.as_ref().is_some_and(|home| !sources.public.contains(home)) {
            continue;
        }
        seen += 1;
        let types = home.and_then(|home| sources.types.get(&home)).map_or("", String::as_str);
        if !calls(own, name) && !calls(types, name) {
            without.push(format!("{folder}: {of}::{name}"));
        }
    }
    println!("{seen} functions");
    assert!(seen > 190, "the functions were found");
    assert!(without.is_empty(), "no example calls\n{}", without.join("\n"));
}

/// The finder finds what it is there to find.
#[test]
fn only_what_is_called_visibly_and_compiled_counts() {
    let docs = |text: &str| {
        let lines: String = text.lines().map(|line| format!("/// {line}\n")).collect();
        let item: syn::ItemFn = syn::parse_str(&format!("{lines}fn f() {{}}")).unwrap();
        calls(&code(&item.attrs), "get")
    };
    assert!(docs("```\nmap.get(&1);\n```"));
    assert!(docs("text\n\n```no_run\nlet get = Map::get;\n```"));
    assert!(!docs("`map.get(&1)`"));
    assert!(!docs("```\n# map.get(&1);\n```"));
    assert!(!docs("```text\nmap.get(&1);\n```"));
    assert!(!docs("```ignore\nmap.get(&1);\n```"));
    assert!(!docs("```compile_fail\nmap.get(&1);\n```"));
    assert!(!docs("```\nmap.get_mut(&1); forget(1);\n```\nmap.get(&1)"));
}
