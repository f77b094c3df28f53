//! Shows what is in any region file, without the types it was made with: its settings, its schema, its journal,
//! and every object that the root reaches. Nothing is locked or changed.
//!
//! It shares no code with the crate. It was written from the book's chapter "Inside", to show that the chapter
//! says enough, and reads the file as plain bytes.
//!
//! ```text
//! cargo run --example inspect -- bank.pm            # the first 100 objects
//! cargo run --example inspect -- bank.pm 5000
//! cargo run --example inspect                       # on a region that it makes itself
//! ```

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fmt::Write;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// A struct or enum of the schema text.
#[derive(Default)]
struct Type {
    size: usize,
    align: usize,
    fields: Vec<Field>,
    variants: Vec<(String, i128, Vec<Field>)>,
}

struct Field {
    name: String,
    offset: usize,
    of: String,
}

/// A region file, read as bytes.
struct File {
    bytes: Vec<u8>,
    types: HashMap<String, Type>,
    root_type: String,
    root: usize,
    heap: usize,
    /// Words of valid journal records: what recovery would store.
    replayed: HashMap<usize, u64>,
    head: String,
}

impl File {
    fn new(bytes: Vec<u8>) -> Result<Self> {
        let word = |at: usize| -> Result<u64> {
            let word = bytes.get(at..at + 8).ok_or_else(|| format!("the file ends before {at:#x}"))?;
            Ok(u64::from_le_bytes(word.try_into()?))
        };
        if bytes.get(..8) != Some(b"indelibl") {
            return Err("no region: the magic is missing".into());
        }
        if word(64)? != xxh3_64(&bytes[8..64]) {
            return Err("page 0: the checksum is wrong".into());
        }
        let [format, id, schema_len, schema_sum, journal_words, root_size, root_align] =
            [8, 16, 24, 32, 40, 48, 56].map(|at| word(at).unwrap_or(0));
        if format != 1 {
            return Err(format!("format {format}; this program knows 1").into());
        }
        let schema = bytes.get(4096..4096 + schema_len as usize).ok_or("the schema is cut off")?;
        if xxh3_64(schema) != schema_sum {
            return Err("the schema's checksum is wrong".into());
        }
        let schema = std::str::from_utf8(schema)?.to_string();
        let (types, root_type) = parse_schema(&schema)?;

        let up = |value: usize, to: usize| value.div_ceil(to) * to;
        let ret_at = up(4096 + schema_len as usize, 64);
        let slot_len = up(24 + 16 * journal_words as usize, 64);
        let root = up(ret_at + 64 + 2 * slot_len + 16, (root_align as usize).max(64));
        let heap = up(root + (root_size as usize).max(8), 4096);

        let ret = word(ret_at)?;
        let mut records = Vec::new();
        for slot in [ret_at + 64, ret_at + 64 + slot_len] {
            let (number, count, sum) = (word(slot)?, word(slot + 8)?, word(slot + 16)?);
            if number <= ret || !(1..=journal_words).contains(&count) {
                continue;
            }
            let entries = &bytes[slot + 24..slot + 24 + 16 * count as usize];
            let mut covered = count.to_le_bytes().to_vec();
            covered.extend_from_slice(entries);
            if xxh3_64_with_seed(&covered, id ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) == sum {
                records.push((number, slot, count));
            }
        }
        records.sort_unstable();
        let mut replayed = HashMap::new();
        for &(_, slot, count) in &records {
            for entry in (0..count as usize).map(|index| slot + 24 + 16 * index) {
                replayed.insert(word(entry)? as usize, word(entry + 8)?);
            }
        }
        let mut head = String::new();
        writeln!(
            head,
            "{} bytes, id {id:#018x}, {}",
            bytes.len(),
            ["closed", "in use, or was not closed"][usize::from(word(1024)? != 0)]
        )?;
        writeln!(head, "journal of {journal_words} words, RET {ret}, records to replay: {}", records.len())?;
        writeln!(head, "root at {root:#x}, heap from {heap:#x}\n\n{schema}")?;
        Ok(File { bytes, types, root_type, root, heap, replayed, head })
    }

    /// A word as recovery would leave it.
    fn word(&self, at: usize) -> Result<u64> {
        if let Some(&value) = self.replayed.get(&at) {
            return Ok(value);
        }
        let word = self.bytes.get(at..at + 8).ok_or_else(|| format!("{at:#x} is past the end"))?;
        Ok(u64::from_le_bytes(word.try_into()?))
    }

    /// The element count in the header of the object at `at`, which must say that it is an `of`.
    fn count(&self, at: usize, of: &str) -> Result<u64> {
        let (first, second) = (self.word(at - 16)?, self.word(at - 8)?);
        let count = first & ((1 << 48) - 1);
        let fingerprint = first >> 48 | (second & 0xffff_ffff) << 16;
        let words = [at as u64, count, fingerprint].map(u64::to_le_bytes);
        if crc32c::crc32c(words.as_flattened()) != (second >> 32) as u32 {
            return Err(format!("no block header before {at:#x}").into());
        }
        match fingerprint == self.fingerprint(of)? {
            true => Ok(count),
            false => Err(format!("the object at {at:#x} is no {of}").into()),
        }
    }

    /// The hash of 48 bits by which a block header names its type.
    fn fingerprint(&self, of: &str) -> Result<u64> {
        let fields = |mut id: u64, fields: &[Field]| -> Result<u64> {
            for field in fields {
                id = fold(fold(id, name_hash(&field.name)), field.offset as u64);
                id = fold(id, self.fingerprint(&field.of)?);
            }
            Ok(id)
        };
        let id = if let Some(known) = self.types.get(of) {
            let id = fold(fold(name_id(of), known.size as u64), known.align as u64);
            known.variants.iter().try_fold(fields(id, &known.fields)?, |id, (name, discriminant, of)| {
                fields(fold(fold(id, name_hash(name)), *discriminant as u64), of)
            })?
        } else if let Some((element, len)) = array(of) {
            fold(fold(name_hash("[;]"), self.fingerprint(element)?), len as u64)
        } else if let Some(element) = of.strip_prefix('[').and_then(|of| of.strip_suffix(']')) {
            fold(name_hash("[]"), self.fingerprint(element)?)
        } else if let Some(inside) = inner(of, "Word<") {
            fold(name_hash("Word"), self.fingerprint(inside)?)
        } else {
            name_id(of) // a link knows its target's name only
        };
        Ok(id & ((1 << 48) - 1))
    }

    fn size(&self, of: &str) -> Result<usize> {
        if of.starts_with("Link<") || of.starts_with("Word<") {
            return Ok(8);
        }
        if let Some((element, len)) = array(of) {
            return Ok(self.size(element)? * len);
        }
        if let Some(known) = self.types.get(of) {
            return Ok(known.size);
        }
        match leaf(of) {
            Some((_, size)) => Ok(size),
            None => Err(format!("the schema has no type {of}").into()),
        }
    }

    /// Writes the value at `at`, and notes the links in it.
    fn value(&self, out: &mut String, at: usize, of: &str, links: &mut Vec<(usize, String)>) -> Result<()> {
        if let Some(target) = inner(of, "Link<") {
            match self.word(at)? {
                0 => write!(out, "null")?,
                offset => {
                    let target_at = at.wrapping_add(offset as usize);
                    links.push((target_at, target.to_string()));
                    write!(out, "-> {target_at:#x}")?;
                }
            }
        } else if let Some(inside) = inner(of, "Word<") {
            let word = self.word(at)?.to_le_bytes();
            self.plain(out, &word[..self.size(inside)?], inside)?;
        } else if let Some((element, len)) = array(of) {
            self.elements(out, at, element, len, links)?;
        } else if let Some(known) = self.types.get(of) {
            let fields = match known.variants.is_empty() {
                true => &known.fields,
                false => {
                    let size = discriminant_size(known);
                    let bits = self.bytes.get(at..at + size).ok_or("past the end")?;
                    let number = unsigned(bits);
                    let mask = if size == 16 { u128::MAX } else { (1 << (8 * size)) - 1 };
                    let variant = known.variants.iter().find(|(_, value, _)| *value as u128 & mask == number);
                    let (name, _, fields) = variant.ok_or_else(|| format!("{number} is no {of}"))?;
                    write!(out, "{name}{}", if fields.is_empty() { "" } else { " " })?;
                    fields
                }
            };
            for (index, field) in fields.iter().enumerate() {
                write!(out, "{}{}: ", if index == 0 { "{ " } else { ", " }, field.name)?;
                self.value(out, at + field.offset, &field.of, links)?;
            }
            out.push_str(if fields.is_empty() { "" } else { " }" });
        } else {
            let size = self.size(of)?;
            self.plain(out, self.bytes.get(at..at + size).ok_or("past the end")?, of)?;
        }
        Ok(())
    }

    fn elements(
        &self,
        out: &mut String,
        at: usize,
        of: &str,
        len: usize,
        links: &mut Vec<(usize, String)>,
    ) -> Result<()> {
        let size = self.size(of)?;
        out.push('[');
        for index in 0..len {
            out.push_str(if index == 0 { "" } else { ", " });
            self.value(out, at + index * size, of, links)?;
        }
        out.push(']');
        Ok(())
    }

    /// Writes a value that has no links or words, from its bytes.
    fn plain(&self, out: &mut String, bytes: &[u8], of: &str) -> Result<()> {
        let number = unsigned(bytes);
        match leaf(of) {
            Some(("bool", _)) if number < 2 => write!(out, "{}", number == 1)?,
            Some(("char", _)) => write!(out, "{:?}", char::from_u32(number as u32).ok_or("no char")?)?,
            Some(("f", 4)) => write!(out, "{}", f32::from_bits(number as u32))?,
            Some(("f", _)) => write!(out, "{}", f64::from_bits(number as u64))?,
            Some(("i", size)) => {
                let shift = 128 - 8 * size;
                write!(out, "{}", (number << shift) as i128 >> shift)?;
            }
            Some(("u", _)) => write!(out, "{number}")?,
            Some(("()", _)) => out.push_str("()"),
            _ => match self.types.get(of).map(|known| &known.variants) {
                Some(variants) if !variants.is_empty() => {
                    let variant = variants.iter().find(|(_, value, _)| *value as u128 == number);
                    out.push_str(&variant.ok_or_else(|| format!("{number} is no {of}"))?.0);
                }
                _ => write!(out, "{bytes:02x?}")?,
            },
        }
        Ok(())
    }

    /// Writes up to `most` objects; answers how many there are.
    fn dump(&self, out: &mut String, most: usize) -> Result<usize> {
        let mut pending = vec![(self.root, self.root_type.clone())];
        let mut seen = HashSet::new();
        let mut links = Vec::new();
        while let Some((at, of)) = pending.pop() {
            if !seen.insert(at) {
                return Err(format!("two links lead to {at:#x}").into());
            }
            let count = self.count(at, &of)? as usize;
            let mut line = format!("{at:#x} {of}: ");
            match &of[..] {
                "str" => {
                    let text = self.bytes.get(at..at + count).ok_or("a str past the end")?;
                    write!(line, "{:?}", std::str::from_utf8(text)?)?;
                }
                _ if of.starts_with('[') && array(&of).is_none() => {
                    self.elements(&mut line, at, &of[1..of.len() - 1], count, &mut links)?;
                }
                _ => self.value(&mut line, at, &of, &mut links)?,
            }
            if seen.len() <= most {
                writeln!(out, "{line}")?;
            }
            for (target, of) in links.drain(..).rev() {
                if target < self.heap || target >= self.bytes.len() {
                    return Err(format!("a link in {at:#x} leads to {target:#x}, outside of the heap").into());
                }
                pending.push((target, of));
            }
        }
        Ok(seen.len())
    }
}

fn unsigned(bytes: &[u8]) -> u128 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u128::from(byte))
}

/// SplitMix64's finalizer.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// FNV-1a, finished.
fn name_hash(name: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    mix(name.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

fn fold(left: u64, right: u64) -> u64 {
    mix(left.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ right.rotate_left(23))
}

/// The hash of a type's name and its generic arguments.
fn name_id(of: &str) -> u64 {
    if let Some((element, len)) = array(of) {
        return fold(fold(name_hash("[;]"), name_id(element)), len as u64);
    }
    if let Some(element) = of.strip_prefix('[').and_then(|of| of.strip_suffix(']')) {
        return fold(name_hash("[]"), name_id(element));
    }
    match of.strip_suffix('>').and_then(|of| of.split_once('<')) {
        // These are names of their own, as they stand.
        Some(("Option", _)) | None => name_hash(of),
        Some((name, arguments)) => {
            arguments_of(arguments).into_iter().fold(name_hash(name), |id, argument| {
                fold(id, argument.parse::<i128>().map_or_else(|_| name_id(argument), |value| value as u64))
            })
        }
    }
}

/// `A<B, C>, 4` is two arguments.
fn arguments_of(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '<' | '[' => depth += 1,
            '>' | ']' => depth -= 1,
            ',' if depth == 0 => {
                found.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(text[start..].trim());
    found
}

/// What kind of leaf type this is, and its size.
fn leaf(of: &str) -> Option<(&'static str, usize)> {
    let of = of.strip_prefix("Option<").and_then(|of| of.strip_suffix('>')).unwrap_or(of);
    let name = of.strip_prefix("NonZero").unwrap_or(of).to_lowercase();
    match &name[..] {
        "bool" => return Some(("bool", 1)),
        "char" => return Some(("char", 4)),
        "()" => return Some(("()", 0)),
        _ if of.starts_with("PhantomData<") => return Some(("()", 0)),
        _ => {}
    }
    let kind = ["u", "i", "f"].into_iter().find(|kind| name.starts_with(kind))?;
    let bits: usize = name[1..].parse().ok()?;
    Some((kind, bits / 8))
}

fn inner<'a>(of: &'a str, what: &str) -> Option<&'a str> {
    of.strip_prefix(what)?.strip_suffix('>')
}

/// `[T; N]`, where the last semicolon is the array's own.
fn array(of: &str) -> Option<(&str, usize)> {
    let (element, len) = of.strip_prefix('[')?.strip_suffix(']')?.rsplit_once("; ")?;
    Some((element, len.parse().ok()?))
}

/// An enum has no padding: its discriminant ends where the first field begins.
fn discriminant_size(known: &Type) -> usize {
    known
        .variants
        .iter()
        .filter_map(|(_, _, fields)| Some(fields.first()?.offset))
        .min()
        .unwrap_or(known.size)
}

/// The types of a schema text by name, and the name of the first, which is the root.
fn parse_schema(text: &str) -> Result<(HashMap<String, Type>, String)> {
    let mut types: HashMap<String, Type> = HashMap::new();
    let mut root = None;
    let mut last = String::new();
    for line in text.lines() {
        let bad = || format!("a schema line that is not understood: {line}");
        let (indent, rest) = (line.len() - line.trim_start().len(), line.trim_start());
        if indent == 0 {
            let (_, rest) = rest.split_once(' ').ok_or_else(bad)?;
            let (name, layout) = rest.rsplit_once(": ").ok_or_else(bad)?;
            let name = name.trim_start_matches("struct ").trim_start_matches("enum ").to_string();
            let (size, align) = layout.split_once(" bytes, aligned to ").ok_or_else(bad)?;
            let new = Type { size: size.parse()?, align: align.parse()?, ..Type::default() };
            if types.insert(name.clone(), new).is_some() {
                return Err(format!("two types are called {name}, and the text can't tell them apart").into());
            }
            root.get_or_insert_with(|| name.clone());
            last = name;
            continue;
        }
        let of = types.get_mut(&last).ok_or_else(bad)?;
        if let Some((name, discriminant)) = rest.split_once(" = ") {
            of.variants.push((name.to_string(), discriminant.parse()?, Vec::new()));
            continue;
        }
        let (name, rest) = rest.split_once(" at ").ok_or_else(bad)?;
        let (offset, field_type) = rest.split_once(": ").ok_or_else(bad)?;
        let field = Field { name: name.to_string(), offset: offset.parse()?, of: field_type.to_string() };
        match of.variants.last_mut() {
            Some((_, _, fields)) => fields.push(field),
            None => of.fields.push(field),
        }
    }
    let most = types.values().map(|known| known.align).max().unwrap_or(1);
    if most > 4096 {
        return Err("an alignment that no region has".into());
    }
    Ok((types, root.ok_or("an empty schema")?))
}

fn inspect(bytes: Vec<u8>, most: usize) -> Result<(String, usize)> {
    let file = File::new(bytes)?;
    let mut out = file.head.clone();
    let objects = file.dump(&mut out, most)?;
    writeln!(
        out,
        "\n{objects} objects{}",
        if objects > most { ", the first of which are shown" } else { "" }
    )?;
    Ok((out, objects))
}

/// A region with a bit of everything, and a copy of its file, made while it was open with a record to replay.
fn sample() -> Result<(Vec<u8>, u64)> {
    use indelible::{Link, Options, Persistent, Region, Word, medium::MemoryFileSystem, medium::PageCache};
    use std::num::NonZeroU64;

    #[derive(Persistent, Clone, Copy)]
    #[repr(u64)]
    enum Shape {
        Circle(i64) = 1,
        Square(i64) = 2,
    }
    #[derive(Persistent, Clone, Copy)]
    #[repr(u8)]
    enum Colour {
        Red = 3,
    }
    #[derive(Persistent)]
    #[repr(C)]
    struct Node {
        shape: Shape,
        colour: Word<Colour>,
        weight: Word<Option<NonZeroU64>>,
        name: Link<str>,
        next: Link<Node>,
    }
    #[derive(Persistent)]
    #[repr(C)]
    struct Table<T: Persistent, const N: usize> {
        rows: [T; N],
        more: Link<Table<T, N>>,
    }
    #[derive(Persistent)]
    #[repr(C)]
    struct Root {
        table: Link<Table<[u32; 2], 3>>,
        nodes: Link<Node>,
        places: Link<[Link<u64>]>,
        ratio: Word<f64>,
        letters: [char; 2],
        balance: Word<i32>,
    }

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("sample.pm");
    let root = Root {
        table: Link::null(),
        nodes: Link::null(),
        places: Link::null(),
        ratio: Word::new(0.5),
        letters: ['a', 'ß'],
        balance: Word::new(7),
    };
    let options = Options::new().journal_words(8).allow_memory_file_system(MemoryFileSystem::Tmpfs);
    // SAFETY: nothing else writes or truncates this file while the region is open.
    let mut region: Region<Root, PageCache> = unsafe { options.create(&path, 64 << 10, root)? };
    for (name, shape) in [("one", Shape::Circle(-1)), ("two", Shape::Square(2))] {
        region.transact(|tx, root| {
            let (colour, weight) = (Word::new(Colour::Red), Word::new(NonZeroU64::new(70)));
            let mut node =
                tx.alloc(Node { shape, colour, weight, name: Link::null(), next: Link::null() })?;
            tx.attach(&mut node, |node| &node.name, tx.flush(tx.alloc_str(name)?));
            tx.attach(&mut node, |node| &node.next, tx.take(&root.nodes));
            tx.publish(&root.nodes, tx.persist(node)?);
            Ok(())
        })?;
    }
    region.transact(|tx, root| {
        let mut places = tx.alloc_slice_with(3, |_| Link::null())?;
        tx.attach(&mut places, |places| &places[1], tx.flush(tx.alloc(9_u64)?));
        tx.publish(&root.places, tx.persist(places)?);
        let table = tx.alloc(Table { rows: [[1, 2], [3, 4], [5, 6]], more: Link::null() })?;
        tx.stage(&root.table, tx.flush(table));
        tx.store(&root.balance, -7);
        Ok(())
    })?;
    let objects = region.usage()?.objects;
    Ok((std::fs::read(&path)?, objects))
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let most = arguments.get(1).map_or(Ok(100), |most| most.parse())?;
    let (bytes, expected) = match arguments.first() {
        Some(path) => (std::fs::read(path)?, None),
        None => sample().map(|(bytes, objects)| (bytes, Some(objects as usize)))?,
    };
    let (out, objects) = inspect(bytes, most)?;
    print!("{out}");
    match expected {
        Some(expected) if expected != objects => Err(format!("the crate counts {expected} objects").into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sees_what_was_written_also_what_is_in_the_journal_only() {
        let (mut bytes, objects) = sample().unwrap();
        let applied = inspect(bytes.clone(), 100).unwrap();
        assert_eq!(applied.1 as u64, objects);
        for part in [
            "records to replay: 1",
            "places: -> 0x",
            "ratio: 0.5, letters: ['a', 'ß'], balance: -7 }",
            "Node: { shape: Square { 0: 2 }, colour: Red, weight: 70, name: -> 0x",
            "shape: Circle { 0: -1 }",
            "str: \"two\"",
            "[Link<u64>]: [null, -> 0x",
            "u64: 9",
            "Table<[u32; 2], 3>: { rows: [[1, 2], [3, 4], [5, 6]], more: null }",
        ] {
            assert!(applied.0.contains(part), "{part}\n{}", applied.0);
        }
        // As if the words had not reached the memory.
        let file = File::new(bytes.clone()).unwrap();
        for &at in file.replayed.keys() {
            bytes[at..at + 8].fill(0);
        }
        assert_eq!(inspect(bytes, 100).unwrap(), applied);
    }

    #[test]
    fn damage_is_told() {
        let (bytes, _) = sample().unwrap();
        for (at, what) in [(0, "magic"), (17, "page 0"), (4100, "schema")] {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert!(inspect(bytes, 1).unwrap_err().to_string().contains(what));
        }
        let root = File::new(bytes.clone()).unwrap().root;
        let mut bytes = bytes;
        bytes[root - 3] ^= 1;
        assert!(inspect(bytes, 1).unwrap_err().to_string().contains("block header"));
    }
}
