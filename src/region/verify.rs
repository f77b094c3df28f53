//! The walk from the root that every open makes before it believes a byte: every link in bounds and to a
//! block whose header checks out and names the link's type, no block reached twice or overlapping another,
//! every object valid for its type, every journal entry aimed at a word that may change.
//!
//! After it, a dereference needs no check. It reads through an overlay of the journal's valid records, and
//! writes nothing. It is iterative, so that a long list does not use up the stack.
//!
//! # Safety
//!
//! The walk reads objects as bytes while nothing else can write to them: the region is not open yet, or
//! borrowed exclusively.
#![allow(unsafe_code)]

use super::block::{self, Header};
use super::heap::{self, Rebuild};
use super::layout::Layout;
use crate::error::{Error, Result};
use crate::medium::{MediumImpl, Origin};
use crate::persistent::{Cells, TypeInfo, Visitor};
use crate::tx::journal::Record;
use std::cell::Cell;
use std::collections::HashMap;

/// The journal's records as the walk sees them: the word at an offset has this value.
#[derive(Default)]
pub(crate) struct Overlay {
    words: HashMap<usize, Entry>,
}

struct Entry {
    value: u64,
    /// Where the entry lies in the journal, for errors.
    record: usize,
    /// A link or word of a reachable object has this offset.
    hit: Cell<bool>,
}

impl Overlay {
    pub(crate) fn new(records: &[Record]) -> Self {
        let entries = records.iter().flat_map(|record| {
            let entry = |&(at, value)| (at, Entry { value, record: record.at, hit: Cell::new(false) });
            record.entries.iter().map(entry)
        });
        Overlay { words: entries.collect() }
    }

    fn get(&self, at: usize) -> Option<u64> {
        if self.words.is_empty() {
            return None;
        }
        self.words.get(&at).map(|entry| {
            entry.hit.set(true);
            entry.value
        })
    }
}

/// There is no length word, so that a lost end shows in what leads there only.
const PAST_THE_END: &str = "past the end of the file (was it truncated?)";

/// What the walk needs to know.
pub(crate) struct Walk<'a, M> {
    pub medium: &'a M,
    pub layout: &'a Layout,
    pub root: &'static TypeInfo,
    pub overlay: &'a Overlay,
    /// Flush every link and word that is read: what an earlier process left visible may not be durable.
    pub flush: bool,
    pub origin: Origin,
}

/// What the walk found.
pub(crate) struct Reached {
    pub blocks: Rebuild,
    /// Number of objects, the root included.
    pub objects: u64,
    /// Bytes of them, block headers included.
    pub bytes: u64,
}

/// An object to be visited.
#[derive(Clone, Copy)]
struct Object {
    at: usize,
    len: usize,
    info: &'static TypeInfo,
}

/// Something that is not as it was written: the object at `holder`, or the field of it at an offset.
struct Bad {
    holder: Object,
    field: Option<usize>,
    found: String,
    expected: String,
}

/// How each object was reached: the object that links to it, and the link.
type Parents = HashMap<usize, (Object, usize)>;

impl<M: MediumImpl> Walk<'_, M> {
    /// Walks; an error names the path from the root.
    pub(crate) fn run(&self) -> Result<Reached> {
        match self.walk(None) {
            Ok(reached) => self.check_journal(&reached).map(|()| reached),
            Err(bad) => {
                // Paths are rebuilt by a second walk, so that the first need not remember them.
                let mut parents = Parents::new();
                let bad = self.walk(Some(&mut parents)).err().unwrap_or(bad);
                let place = path(&parents, bad.holder, bad.field);
                let offset = bad.field.unwrap_or(bad.holder.at);
                Err(Error::damaged(self.medium.path(), place, offset, bad.found, bad.expected))
            }
        }
    }

    fn walk(&self, mut parents: Option<&mut Parents>) -> Result<Reached, Bad> {
        let map = self.medium.map();
        let mut blocks = Rebuild::new(self.layout.heap()..map.len());
        let root = Object { at: self.layout.root(), len: self.root.size, info: self.root };
        let mut reached_objects = 0;
        let mut bytes = 0;
        self.check_header(root, None, root)?;
        let mut pending = vec![root];
        let mut links = Vec::new();
        while let Some(object) = pending.pop() {
            reached_objects += 1;
            bytes += block::extent_len(object.len) as u64;
            self.visit(object, &mut links)?;
            // The first link is followed first.
            for (slot, target) in links.drain(..).rev() {
                let child = self.follow(object, slot, target, &mut blocks)?;
                if let Some(parents) = &mut parents {
                    parents.insert(child.at, (object, slot));
                }
                pending.push(child);
            }
        }
        Ok(Reached { blocks, objects: reached_objects, bytes })
    }

    /// Checks an object's bytes, and collects its links that are not null.
    fn visit(&self, object: Object, links: &mut Vec<(usize, &'static TypeInfo)>) -> Result<(), Bad> {
        let map = self.medium.map();
        if M::OBSERVED {
            self.announce(object);
        }
        // SAFETY: nothing writes while the walk runs; see the module.
        let bytes = unsafe { map.bytes(object.at, object.len) };
        let mut collect = Collect {
            medium: self.medium,
            overlay: self.overlay,
            flush: self.flush.then_some(self.origin),
            links,
            bad_word: None,
        };
        if !(object.info.visit)(bytes, &mut Visitor::new(&mut collect)) {
            return Err(Bad {
                holder: object,
                field: None,
                found: format!("bytes {:02x?}", &bytes[..bytes.len().min(32)]),
                expected: format!("a valid {}", object.info.display_name()),
            });
        }
        match collect.bad_word {
            None => Ok(()),
            Some((offset, value)) => Err(Bad {
                holder: object,
                field: Some(offset),
                found: format!("{value:#018x}"),
                expected: "a valid value with zeros above it".to_string(),
            }),
        }
    }

    /// Announces an object before it is read: its links and words, as far as the journal does not say what
    /// they are, and everything else, which must be durable because a link leads to it.
    fn announce(&self, object: Object) {
        let map = self.medium.map();
        let mut cells = CellsOf { base: map.address(), cells: Vec::new() };
        if object.info.cells {
            // SAFETY: nothing writes while the bytes are borrowed; see the module.
            let bytes = unsafe { map.bytes(object.at, object.len) };
            let _ = (object.info.visit)(bytes, &mut Visitor::new(&mut cells));
        }
        let mut at = object.at;
        for cell in cells.cells {
            self.medium.announce_durable(at, cell - at);
            if !self.overlay.words.contains_key(&cell) {
                self.medium.announce(cell, 8);
            }
            at = cell + 8;
        }
        self.medium.announce_durable(at, object.at + object.len - at);
    }

    /// Checks where a link leads.
    fn follow(
        &self,
        holder: Object,
        slot: usize,
        target: &'static TypeInfo,
        blocks: &mut Rebuild,
    ) -> Result<Object, Bad> {
        let map = self.medium.map();
        let offset = self.overlay.get(slot).unwrap_or_else(|| map.load(slot));
        let at = slot.wrapping_add(offset as usize);
        let bad = |found: String, expected: String| Bad { holder, field: Some(slot), found, expected };
        let heap = self.layout.heap();
        if at > map.len() {
            let expected = format!("one into its {:#x} bytes", map.len());
            return Err(bad(format!("a link to {at:#x}, {PAST_THE_END}"), expected));
        }
        let align = block::object_align(target);
        if at < heap + block::HEADER || !at.is_multiple_of(align) {
            let expected =
                format!("a multiple of {align} from {:#x} to {:#x}", heap + block::HEADER, map.len());
            return Err(bad(format!("a link to {at:#x}"), expected));
        }
        let mut child = Object { at, len: 0, info: target };
        child.len = self.check_header(holder, Some(slot), child)?;
        match blocks.adopt(at, child.len, target.align) {
            Ok(()) => Ok(child),
            Err(expected) => {
                let found = format!("a link to {at:#x}, {} of {} bytes", target.display_name(), child.len);
                Err(bad(found, expected.to_string()))
            }
        }
    }

    /// Checks the header of `object`, to which the link at `field` in `holder` leads; its length in bytes.
    fn check_header(&self, holder: Object, field: Option<usize>, object: Object) -> Result<usize, Bad> {
        let map = self.medium.map();
        let Object { at, info, .. } = object;
        self.medium.announce(at - block::HEADER, block::HEADER);
        let words = heap::read_header(map, at);
        let bad = |found: String, expected: String| Bad { holder, field, found, expected };
        let Some(header) = Header::decode(words, at) else {
            return Err(bad(
                format!(
                    "no block header at {:#x}: {:#018x} {:#018x}",
                    at - block::HEADER,
                    words[0],
                    words[1]
                ),
                format!("the header of a {}", info.display_name()),
            ));
        };
        if header.fingerprint != info.fingerprint {
            return Err(bad(
                format!("an object with fingerprint {:#014x} at {at:#x}", header.fingerprint),
                format!("{:#014x}, a {}", info.fingerprint, info.display_name()),
            ));
        }
        let room = map.len() - at;
        match info.byte_len(header.count) {
            Some(len) if len <= room => Ok(len),
            _ => Err(bad(
                format!("{} elements at {at:#x}, {PAST_THE_END}", header.count),
                format!("a count that fits into {room} bytes"),
            )),
        }
    }

    /// Each journal entry hits a link or word of a reachable object, or lies in heap that nothing reaches.
    fn check_journal(&self, reached: &Reached) -> Result<()> {
        let end = self.medium.map().len();
        for (&at, entry) in &self.overlay.words {
            let unreached = || {
                at.is_multiple_of(8) && at >= self.layout.heap() && at < end && !reached.blocks.is_covered(at)
            };
            if !entry.hit.get() && !unreached() {
                return Err(Error::damaged(
                    self.medium.path(),
                    "journal",
                    entry.record,
                    format!("an entry for {at:#x}"),
                    "the offset of a link or word of a reachable object",
                ));
            }
        }
        Ok(())
    }
}

/// Where an object's links and words are, in the order of their offsets.
struct CellsOf {
    base: usize,
    cells: Vec<usize>,
}

impl Cells for CellsOf {
    fn link(&mut self, at: usize, _: &'static TypeInfo) {
        self.cells.push(at - self.base);
    }
    fn word(&mut self, at: usize, _: fn(u64) -> bool) {
        self.cells.push(at - self.base);
    }
}

/// Collects an object's links, and checks its words.
struct Collect<'a, M> {
    medium: &'a M,
    overlay: &'a Overlay,
    flush: Option<Origin>,
    links: &'a mut Vec<(usize, &'static TypeInfo)>,
    bad_word: Option<(usize, u64)>,
}

impl<M: MediumImpl> Collect<'_, M> {
    /// The word's offset, and its value through the overlay.
    fn read(&self, address: usize) -> (usize, u64) {
        let map = self.medium.map();
        let at = address - map.address();
        if let Some(origin) = self.flush {
            self.medium.flush_line(map.pointer(at).as_ptr(), origin);
        }
        (at, self.overlay.get(at).unwrap_or_else(|| map.load(at)))
    }
}

impl<M: MediumImpl> Cells for Collect<'_, M> {
    fn link(&mut self, address: usize, target: &'static TypeInfo) {
        let (at, value) = self.read(address);
        if value != 0 {
            self.links.push((at, target));
        }
    }

    fn word(&mut self, address: usize, valid: fn(u64) -> bool) {
        let (at, value) = self.read(address);
        if !valid(value) && self.bad_word.is_none() {
            self.bad_word = Some((at, value));
        }
    }
}

/// `root.accounts.next.balance`; repeats are shortened: `.next ×9999999`.
fn path(parents: &Parents, holder: Object, field: Option<usize>) -> String {
    let mut segments: Vec<String> = field.map(|at| holder.info.path_to(at - holder.at)).into_iter().collect();
    let mut at = holder.at;
    while let Some(&(parent, slot)) = parents.get(&at) {
        segments.push(parent.info.path_to(slot - parent.at));
        at = parent.at;
    }
    segments.reverse();
    let mut out = String::from("root");
    for run in segments.chunk_by(|a, b| a == b) {
        match run.len() {
            1 | 2 => run.iter().for_each(|segment| out.push_str(segment)),
            n => out.push_str(&format!("{} ×{n}", run[0])),
        }
    }
    out
}
