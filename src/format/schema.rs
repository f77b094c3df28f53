//! The schema text: the layout of the root type and of all types that it reaches, stored whole in the
//! region and compared when it is opened.
//!
//! Types are numbered in the order in which they are found from the root. Names are those that the types
//! supply themselves, never the tokens of a field (an alias would lie).

use crate::persistent::{Kind, TypeInfo};
use std::collections::{HashMap, VecDeque};
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

/// Lines of a difference that are shown: a file may have millions of them.
const MAX_LINES: usize = 100;
/// Characters of each.
const MAX_LINE: usize = 200;

/// Field by field, what differs between the text in a file (`-`) and that of the program (`+`).
///
/// The file's text may say anything, on megabytes: the work is linear in its length, the memory in that of the
/// program's text, and the answer is bounded.
pub(crate) fn difference(file: &str, program: &str) -> String {
    let new: Vec<Type<'_>> = types(program).collect();
    // Modules are not part of a name, so that several types may have the same: the first of the file is compared
    // with the first of the program, the second with the second.
    let mut named: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (number, of) in new.iter().enumerate() {
        named.entry(of.name).or_default().push_back(number);
    }
    let mut is_found = vec![false; new.len()];
    let mut out = Lines::default();
    for old in types(file) {
        match named.get_mut(old.name).and_then(VecDeque::pop_front) {
            Some(number) => {
                is_found[number] = true;
                compare(&mut out, &old, &new[number]);
            }
            None => out.push("- type ", old.name, ""),
        }
    }
    for (of, _) in new.iter().zip(is_found).filter(|(_, is_found)| !is_found) {
        out.push("+ type ", of.name, "");
    }
    out.text()
}

/// What differs between two types of one name.
fn compare(out: &mut Lines, old: &Type<'_>, new: &Type<'_>) {
    if old.lines().eq(new.lines()) {
        return;
    }
    out.push("  type ", old.name, ":");
    // The file's lines pass by; only the program's are remembered.
    let mut is_found: HashMap<&str, bool> = new.lines().map(|line| (line, false)).collect();
    for line in old.lines() {
        match is_found.get_mut(line) {
            Some(found) => *found = true,
            None => out.push("-   ", line, ""),
        }
    }
    for line in new.lines().filter(|line| !is_found[line]) {
        out.push("+   ", line, "");
    }
}

/// So many lines as a message may have, and how many there were.
#[derive(Default)]
struct Lines {
    text: String,
    count: usize,
}

impl Lines {
    fn push(&mut self, what: &str, of: &str, end: &str) {
        self.count += 1;
        if self.count > MAX_LINES {
            return;
        }
        self.text.push_str(what);
        let shown = of.char_indices().nth(MAX_LINE).map_or(of, |(len, _)| &of[..len]);
        // What a terminal would obey is no part of a name.
        self.text.extend(shown.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }));
        self.text.push_str(if shown.len() < of.len() { "…" } else { end });
        self.text.push('\n');
    }

    fn text(mut self) -> String {
        match self.count.checked_sub(MAX_LINES) {
            _ if self.count == 0 => self.text.push_str("  the same types in another order\n"),
            Some(more @ 1..) => _ = writeln!(self.text, "  … and {more} lines more"),
            _ => {}
        }
        self.text
    }
}

/// A type in a schema text.
struct Type<'a> {
    name: &'a str,
    /// What its first line says of it behind the name.
    layout: &'a str,
    /// Lines of its fields.
    rest: &'a str,
}

impl<'a> Type<'a> {
    fn lines(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        std::iter::once(self.layout).chain(self.rest.lines().map(str::trim))
    }
}

/// What begins a type: its number, and the rest of the line.
fn title(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(' ').filter(|_| !line.starts_with(' '))?;
    Some(rest.trim_end_matches(['\n', '\r']))
}

fn types(text: &str) -> impl Iterator<Item = Type<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (line, mut behind) = rest.split_at(rest.find('\n').map_or(rest.len(), |end| end + 1));
            if line.is_empty() {
                return None;
            }
            rest = behind;
            let Some(title_line) = title(line) else { continue };
            let fields: usize =
                behind.split_inclusive('\n').take_while(|line| title(line).is_none()).map(str::len).sum();
            (behind, rest) = behind.split_at(fields);
            let (name, layout) = title_line.rsplit_once(": ").unwrap_or((title_line, ""));
            return Some(Type { name, layout, rest: behind });
        }
    })
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

    #[test]
    fn types_of_one_name_are_compared_in_their_order() {
        let old = "0 struct A: 8 bytes\n  x at 0: u64\n1 struct B: 1 bytes\n2 struct B: 2 bytes\n3 struct B: 3 bytes\n";
        let new = "0 struct A: 8 bytes\n  x at 0: u64\n1 struct B: 1 bytes\n2 struct B: 4 bytes\n";
        assert_eq!(difference(old, new), "  type struct B:\n-   2 bytes\n+   4 bytes\n- type struct B\n");
        assert_eq!(difference(new, new), "  the same types in another order\n");
    }

    /// A file may say anything on 16 MiB. With work that grows faster than the text, this would not end.
    #[test]
    fn a_long_text_is_compared_in_one_pass_and_its_difference_is_short() {
        let lines = (16 << 20) / 4;
        let types = "0 a\n".repeat(lines);
        let fields = format!("0 struct A: 8 bytes, aligned to 8\n{}", " ab\n".repeat(lines));
        let names = format!("0 {}\n", "x\u{1b}[2J".repeat(lines / 2));
        let program = "0 struct A: 8 bytes, aligned to 8\n  x at 0: u64\n1 a\n";
        for text in [types, fields, names] {
            let said = difference(&text, program);
            assert!(said.len() < 32 << 10, "{} bytes", said.len());
            assert!(said.lines().count() <= MAX_LINES + 1 && !said.contains('\u{1b}'), "{said}");
        }
    }
}
