//! The schema text: the layout of the root type and of all types that it reaches, stored whole in the
//! region and compared when it is opened.
//!
//! Types are numbered in the order in which they are found from the root. Names are those that the types
//! supply themselves, never the tokens of a field (an alias would lie).

use crate::persistent::{Kind, TypeInfo};
use std::collections::HashMap;
use std::fmt::Write;

/// More types than any program has; polymorphic recursion, which would never end, is refused earlier by
/// the compiler.
const MAX_TYPES: usize = 10_000;

/// The canonical text for a root type.
pub(crate) fn text(root: &'static TypeInfo) -> String {
    let mut types: Vec<&'static TypeInfo> = vec![root];
    let mut numbers: HashMap<(String, u64), usize> =
        HashMap::from([((root.display_name(), root.fingerprint), 0)]);
    let mut out = String::new();
    let mut next = 0;
    while next < types.len() && next < MAX_TYPES {
        let info = types[next];
        describe(&mut out, next, info);
        for child in children(info) {
            let key = (child.display_name(), child.fingerprint);
            let number = types.len();
            let found = *numbers.entry(key).or_insert_with(|| {
                types.push(child);
                number
            });
            debug_assert!(found < types.len());
        }
        next += 1;
    }
    out
}

fn describe(out: &mut String, number: usize, info: &'static TypeInfo) {
    let what = match info.kind {
        Kind::Struct(_) => "struct ",
        Kind::Enum(_) => "enum ",
        _ => "",
    };
    let name = info.display_name();
    let _ = writeln!(out, "{number} {what}{name}: {} bytes, aligned to {}", info.size, info.align);
    let fields = |out: &mut String, indent: &str, fields: &'static [crate::persistent::Field]| {
        for field in fields {
            let of = (field.part.info)();
            let _ = writeln!(out, "{indent}{} at {}: {}", field.name, field.offset, of.display_name());
        }
    };
    match info.kind {
        Kind::Struct(all) => fields(out, "  ", all),
        Kind::Enum(variants) => {
            for variant in variants {
                let _ = writeln!(out, "  {} = {}", variant.name, variant.discriminant);
                fields(out, "    ", variant.fields);
            }
        }
        _ => {}
    }
}

/// The types that `info` names, in order, without those that say all in their name.
fn children(info: &'static TypeInfo) -> Vec<&'static TypeInfo> {
    let mut found = Vec::new();
    match info.kind {
        Kind::Leaf | Kind::Str | Kind::Ring => {}
        Kind::Struct(fields) => found.extend(fields.iter().map(|field| (field.part.info)())),
        Kind::Enum(variants) => {
            found.extend(variants.iter().flat_map(|v| v.fields.iter().map(|field| (field.part.info)())));
        }
        Kind::Array(of, _) | Kind::Slice(of) | Kind::Link(of) | Kind::Word(of) => found.push(of()),
    }
    // Leaves, arrays, links and words are described by their names; what is inside them is not.
    let mut result = Vec::new();
    for child in found {
        match child.kind {
            Kind::Struct(_) | Kind::Enum(_) => result.push(child),
            Kind::Leaf | Kind::Str | Kind::Ring => {}
            Kind::Array(..) | Kind::Slice(_) | Kind::Link(_) | Kind::Word(_) => {
                result.extend(children(child))
            }
        }
    }
    result
}

/// Field by field, what differs between the text in a file (`-`) and that of the program (`+`).
pub(crate) fn difference(file: &str, program: &str) -> String {
    let (old, new) = (types(file), types(program));
    let mut out = String::new();
    for (key @ (name, _), old_lines) in &old {
        let Some((_, new_lines)) = new.iter().find(|(other, _)| other == key) else {
            let _ = writeln!(out, "- type {name}");
            continue;
        };
        if old_lines == new_lines {
            continue;
        }
        let _ = writeln!(out, "  type {name}:");
        for line in old_lines.iter().filter(|line| !new_lines.contains(line)) {
            let _ = writeln!(out, "-   {line}");
        }
        for line in new_lines.iter().filter(|line| !old_lines.contains(line)) {
            let _ = writeln!(out, "+   {line}");
        }
    }
    for ((name, _), _) in new.iter().filter(|(key, _)| !old.iter().any(|(other, _)| other == key)) {
        let _ = writeln!(out, "+ type {name}");
    }
    if out.is_empty() {
        out.push_str("  the same types in another order\n");
    }
    out
}

/// A type's name, and how many of the same name stand before it: modules are not part of a name.
type Key = (String, usize);

/// Each type, with its first line's layout and its fields.
fn types(text: &str) -> Vec<(Key, Vec<String>)> {
    let mut types: Vec<(Key, Vec<String>)> = Vec::new();
    for line in text.lines() {
        match (line.starts_with(' '), line.split_once(' ')) {
            (false, Some((_, rest))) => {
                let (name, layout) = rest.rsplit_once(": ").unwrap_or((rest, ""));
                let before = types.iter().filter(|((other, _), _)| other == name).count();
                types.push(((name.to_string(), before), vec![layout.to_string()]));
            }
            _ => {
                if let Some((_, lines)) = types.last_mut() {
                    lines.push(line.trim().to_string());
                }
            }
        }
    }
    types
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_types_and_fields() {
        let old = "0 struct Bank: 16 bytes, aligned to 8\n  accounts at 0: Link<Account>\n  count at 8: Word<u32>\n1 struct Old: 8 bytes, aligned to 8\n";
        let new = "0 struct Bank: 24 bytes, aligned to 8\n  accounts at 0: Link<Account>\n  count at 8: Word<u64>\n  total at 16: Word<i64>\n";
        assert_eq!(
            difference(old, new),
            "  type struct Bank:\n-   16 bytes, aligned to 8\n-   count at 8: Word<u32>\n+   24 bytes, aligned to 8\n+   count at 8: Word<u64>\n+   total at 16: Word<i64>\n- type struct Old\n"
        );
    }
}
