//! Shows what is in any region file, without the types it was made with: its settings, its schema, its journal,
//! every object that the root reaches, and the records of logs. Nothing is locked or changed.
//!
//! It shares no code with the crate. It was written from the book's chapter "Inside", to show that the chapter
//! says enough, and reads the file as plain bytes.
//!
//! ```text
//! cargo run --example inspect -- bank.pm            # the first 100 objects
//! cargo run --example inspect -- bank.pm 5000
//! cargo run --example inspect                       # on a region that it makes itself
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;
use std::fmt::Write;
use std::ops::Range;
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
    id: u64,
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
        let sum = |format: u64| -> Result<u64> {
            let rest = bytes.get(16..64).ok_or("page 0 is cut off")?;
            Ok(xxh3_64(&[&format.to_le_bytes(), rest].concat()))
        };
        // Where a crash cut short the raising of the version, the checksum is that of version 1.
        if word(64)? != sum(word(8)?)? && !(word(8)? == 2 && word(64)? == sum(1)?) {
            return Err("page 0: the checksum is wrong".into());
        }
        let [format, id, schema_len, schema_sum, journal_words, root_size, root_align] =
            [8, 16, 24, 32, 40, 48, 56].map(|at| word(at).unwrap_or(0));
        if ![1, 2].contains(&format) {
            return Err(format!("format {format}; this program knows 1 and 2").into());
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
            let (number, counts, sum) = (word(slot)?, word(slot + 8)?, word(slot + 16)?);
            let (count, extents) = (counts & 0xffff_ffff, counts >> 32);
            let content_len = if extents == 0 { 0 } else { 8 + 8 * extents };
            if number <= ret || count == 0 || 16 * count + content_len > 16 * journal_words {
                continue;
            }
            let end = slot + 24 + 16 * count as usize;
            let content = &bytes[end..end + content_len as usize];
            let seed = id ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut found = xxh3_64_with_seed(&bytes[slot + 24..end], seed);
            if extents > 0 {
                found = xxh3_64_with_seed(content, found);
            }
            if found == sum {
                records.push((number, slot, count, is_there(&bytes, id, content)?));
            }
        }
        records.sort_unstable();
        // Without its content the younger is none. The older has a witness in the younger.
        records.pop_if(|&mut (.., is_there)| !is_there);
        let mut replayed = HashMap::new();
        for &(_, slot, count, _) in &records {
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
        Ok(File { bytes, id, types, root_type, root, heap, replayed, head })
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

    fn align(&self, of: &str) -> Result<usize> {
        match of {
            "str" => return Ok(1),
            "log::SampledRing" => return Ok(64),
            _ if of.starts_with("Link<") || of.starts_with("Word<") => return Ok(8),
            _ => {}
        }
        let inside = of.strip_prefix('[').and_then(|of| of.strip_suffix(']'));
        match array(of).map(|(element, _)| element).or(inside) {
            Some(element) => self.align(element),
            None => match self.types.get(of) {
                Some(known) => Ok(known.align),
                None => Ok(self.size(of)?.max(1)),
            },
        }
    }

    /// The memory of an object's block, and the size of the slots of its page, or 0 if it lies in units. An
    /// error if it is not at a place for such a block.
    fn block(&self, at: usize, of: &str, len: usize) -> Result<(Range<usize>, usize)> {
        const SLOTS: [usize; 16] =
            [32, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640, 768, 1024];
        let (len, align) = (len.max(8), self.align(of)?.max(16));
        let (block, slot, right) = if align + len <= 1024 {
            let fits = |slot: &&usize| **slot >= align + len && slot.is_multiple_of(align);
            let slot = *SLOTS.iter().find(fits).ok_or("no slot for such an object")?;
            let start = at.wrapping_sub(align);
            (start..start + slot, slot, start % 4096 % slot == 0 && start % 4096 + slot <= 4096)
        } else {
            let start = (at - 16) / 256 * 256;
            (start..(at + len).next_multiple_of(256), 0, (start + 16).next_multiple_of(align) == at)
        };
        match right && block.start >= self.heap && block.end <= self.bytes.len() {
            true => Ok((block, slot)),
            false => Err(format!("the object at {at:#x}, {of}, is where no such block lies").into()),
        }
    }

    /// Writes the records of the log in the ring at `at`.
    fn log(&self, out: &mut String, at: usize, words: usize) -> Result<()> {
        let len = (8 * words as u64).checked_sub(128).filter(|len| *len > 0).ok_or("a ring without room")?;
        // Behind each 4096 bytes of frames, at the end of them all, is a line that says nothing durable.
        let room = len - len / 4160 * 64;
        let mut header = [0; 5];
        for (index, word) in header.iter_mut().enumerate() {
            *word = self.word(at + 8 * index)?;
        }
        let [head, head_number, first, epoch, cut] = header;
        let (mut position, mut number) = (head, head_number);
        while position + 16 <= head + room {
            let frame = at + 128 + (position % room) as usize;
            let meta = self.word(frame + 8)?;
            let (len, of_epoch) = (meta & 0xffff_ffff, meta >> 32 & 0x3fff_ffff);
            let counts = if position < cut { of_epoch <= epoch } else { of_epoch == epoch };
            let (stride, body_len) = match meta >> 62 {
                0 | 1 => (16 + len.next_multiple_of(16), len as usize),
                2 => (8 * len, 0),
                _ => break,
            };
            let inside = body_len == 0 || position % room + stride <= room;
            if !counts || !inside || stride == 0 || stride % 16 != 0 || position + stride > head + room {
                break;
            }
            let mut body = Vec::new();
            for word in (frame + 16..frame + 16 + body_len).step_by(8) {
                body.extend_from_slice(&self.word(word)?.to_le_bytes());
            }
            body.truncate(body_len);
            let place = [at as u64, position, number, meta];
            let seed = place.into_iter().fold(self.id, |seed, word| {
                (seed ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
            });
            if self.word(frame)? != xxh3_64_with_seed(&body, seed) {
                break;
            }
            for record in records(meta >> 62, &body)? {
                if number >= first {
                    let comma = if number == first { "" } else { ", " };
                    write!(out, "{comma}{number}: \"{}\"", record.escape_ascii())?;
                }
                number += 1;
            }
            position += stride;
        }
        match position < cut || number < first {
            true => Err(format!("the log at {at:#x} has lost records, from number {number} on").into()),
            false => Ok(()),
        }
    }

    /// Writes up to `most` objects; answers how many there are.
    fn dump(&self, out: &mut String, most: usize) -> Result<usize> {
        let mut pending = vec![(self.root, self.root_type.clone())];
        let mut seen = HashSet::new();
        let mut links = Vec::new();
        let (mut blocks, mut slots) = (BTreeMap::new(), HashMap::new());
        while let Some((at, of)) = pending.pop() {
            if !seen.insert(at) {
                return Err(format!("two links lead to {at:#x}").into());
            }
            let count = self.count(at, &of)? as usize;
            let mut line = format!("{at:#x} {of}: ");
            let slice = of.starts_with('[') && array(&of).is_none();
            let element = match &of[..] {
                "str" => 1,
                "log::SampledRing" => 8,
                _ if slice => self.size(&of[1..of.len() - 1])?,
                _ if count == 1 => self.size(&of)?,
                _ => return Err(format!("{count} elements at {at:#x}, and {of} is no slice").into()),
            };
            let len = count.checked_mul(element).filter(|len| *len <= self.bytes.len() - at);
            let len = len.ok_or_else(|| format!("{count} elements at {at:#x} go past the end"))?;
            if at != self.root {
                let (block, slot) = self.block(at, &of, len)?;
                for page in block.start / 4096..block.end.div_ceil(4096) {
                    if *slots.entry(page).or_insert(slot) != slot {
                        return Err(format!("blocks of several kinds in the page of {at:#x}").into());
                    }
                }
                blocks.insert(block.start, block.end);
            }
            match &of[..] {
                "str" => write!(line, "{:?}", std::str::from_utf8(&self.bytes[at..at + len])?)?,
                "log::SampledRing" => self.log(&mut line, at, count)?,
                _ if slice => self.elements(&mut line, at, &of[1..of.len() - 1], count, &mut links)?,
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
        for ((_, end), (start, _)) in blocks.iter().zip(blocks.iter().skip(1)) {
            if start < end {
                return Err(format!("two objects share the memory at {start:#x}").into());
            }
        }
        Ok(seen.len())
    }
}

/// Whether the bytes that a record vouches for are there: a hash, and extents.
fn is_there(bytes: &[u8], id: u64, content: &[u8]) -> Result<bool> {
    let mut words = content.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("8 bytes")));
    let expected = words.next().unwrap_or(0);
    let mut sum = 0_u64;
    for word in words {
        let (at, len) = ((word & ((1 << 40) - 1)) as usize, (word >> 40) as usize);
        let extent = bytes.get(at..at + len).filter(|extent| extent.len() >= 8);
        let extent = extent.ok_or_else(|| format!("a record vouches for {len} bytes at {at:#x}"))?;
        let first = u64::from_le_bytes(extent[..8].try_into()?);
        let hash = [at as u64, first, xxh3_64(&extent[8..])]
            .into_iter()
            .fold(id, |hash, part| (hash ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29));
        sum = sum.wrapping_add(hash);
    }
    Ok(sum == expected)
}

/// The records of a frame of this kind.
fn records(kind: u64, body: &[u8]) -> Result<Vec<&[u8]>> {
    let mut found = Vec::new();
    match kind {
        0 => found.push(body),
        1 => {
            let mut rest = body;
            while let Some((len, after)) = rest.split_first_chunk() {
                let len = u32::from_le_bytes(*len) as usize;
                found.push(after.get(..len).ok_or("a batch that is cut off")?);
                rest = after.get(len.next_multiple_of(4)..).ok_or("a batch that is cut off")?;
            }
        }
        _ => {}
    }
    Ok(found)
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
    use indelible::collections::Log;
    use indelible::medium::{MemoryFileSystem, PageCache};
    use indelible::{Link, Options, Persistent, Region, Word};
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
        log: Log,
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
        log: Log::default(),
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
        root.log.create(tx, 512)
    })?;
    // Frames of every kind, until one lies behind the end of the ring.
    let region = &mut region;
    region.transact(|tx, root| root.log.append(tx, b"first"))?;
    for _ in 0..4 {
        region.transact(|tx, root| root.log.append_all(tx, [b"a".as_slice(), &[b'b'; 120], b""]))?;
        region.transact(|tx, root| {
            root.log.truncate_front(tx, root.log.next_seq() - 2);
            Ok(())
        })?;
    }
    region.transact(|tx, root| root.log.append_all(tx, [b"c".as_slice(), b"cut"]))?;
    region.transact(|tx, root| root.log.truncate_back(tx, root.log.next_seq() - 1))?;
    // The checksum of this one's frame is one of the words that are to be replayed.
    region.transact(|tx, root| {
        tx.store(&root.balance, -8);
        root.log.append(tx, b"\xffd")
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
            "records to replay: 2",
            "places: -> 0x",
            "ratio: 0.5, letters: ['a', 'ß'], balance: -8, log: { ring: -> 0x",
            "log::SampledRing: 12: \"bbb",
            "bbb\", 13: \"\", 14: \"c\", 15: \"\\xffd\"\n",
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

    /// Where the object is whose line in the dump says this, and the word that leads there.
    fn place_of(bytes: &[u8], what: &str) -> (usize, usize) {
        let (dump, _) = inspect(bytes.to_vec(), 100).unwrap();
        let line = dump.lines().find(|line| line.contains(what)).unwrap();
        let at = usize::from_str_radix(&line[2..line.find(' ').unwrap()], 16).unwrap();
        let word = |from: usize| u64::from_le_bytes(bytes[from..from + 8].try_into().unwrap()) as usize;
        (at, (0..bytes.len()).step_by(8).find(|&from| from.wrapping_add(word(from)) == at).unwrap())
    }

    #[test]
    fn an_object_where_none_can_be_is_told() {
        let (mut bytes, _) = sample().unwrap();
        let (at, link) = place_of(&bytes, "str: \"one\"");
        let (first, second) = (&bytes[at - 16..at - 8], &bytes[at - 8..at - 4]);
        let word = |low: &[u8]| low.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte));
        let words = [word(first) & ((1 << 48) - 1), word(first) >> 48 | word(second) << 16];
        let moved = at + 1024 + 16; // the slot is at + 1024 - 16
        let covered = [moved as u64, words[0], words[1]].map(u64::to_le_bytes);
        let mut block = [first, second].concat();
        block.extend(crc32c::crc32c(covered.as_flattened()).to_le_bytes());
        block.extend(b"one");
        bytes[moved - 16..moved + 3].copy_from_slice(&block);
        bytes[link..link + 8].copy_from_slice(&((moved - link) as u64).to_le_bytes());
        let error = inspect(bytes, 1).unwrap_err().to_string();
        assert!(error.contains("where no such block lies"), "{error}");
    }

    #[test]
    fn a_log_ends_with_what_is_torn_and_tells_of_what_was_durable() {
        let (bytes, _) = sample().unwrap();
        let (ring, _) = place_of(&bytes, "log::SampledRing: ");
        let damage = |what: &[u8]| {
            let at = bytes[ring..].windows(what.len()).position(|found| found == what).unwrap() + ring;
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            inspect(bytes, 100)
        };
        assert!(damage(b"\xffd").unwrap().0.contains("14: \"c\"\n"));
        assert!(damage(b"\x01\0\0\0c").unwrap_err().to_string().contains("lost records"));
    }
}
