//! The walk from the root that every open makes before it believes a byte: every link in bounds and to a
//! block whose header checks out and names the link's type, no block reached twice or overlapping another,
//! every object valid for its type, every journal entry aimed at a word that may change.
//!
//! After it, a dereference needs no check. It reads through an overlay of the journal's valid records, and
//! writes nothing. It is iterative, and what it remembers is bounded ([`work`]): a bit for each 32 bytes that
//! is covered by a block, a bounded worklist, and a bit for each 16 bytes where an object waits that the
//! worklist had no room for. Where something is wrong, the way from the root to it is found by further walks
//! ([`path`]).
//!
//! # Safety
//!
//! The walk reads objects as bytes while nothing else can write to them: the region is not open yet, or
//! borrowed exclusively.
#![allow(unsafe_code)]

mod found;
mod overlay;
mod path;
mod ring;
mod work;

pub(crate) use overlay::Overlay;
pub(crate) use ring::settle as settle_rings;

use crate::error::{Error, Result};
use crate::format::block::{self, Header};
use crate::format::layout::Layout;
use crate::format::object;
use crate::heap::Rebuild;
use crate::medium::{Map, MediumImpl};
use crate::observe::Origin;
use crate::persistent::{Cells, Kind, TypeInfo, Visitor};
use found::{Bad, Object, PAST_THE_END, Place};
use std::hint::black_box;
use work::{Task, Work};

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
    /// Logs.
    pub rings: Vec<ring::Found>,
}

/// A walk on its way.
struct Running<'a, M> {
    walk: &'a Walk<'a, M>,
    work: Work,
    reached: Reached,
    /// The object that is being visited.
    holder: Object,
    /// Links that were read and not null.
    links: u64,
    /// Notes of the links, where the way to an object is wanted.
    trace: Option<&'a mut path::Trace>,
    /// The first thing that was found wrong.
    bad: Option<Box<Bad>>,
}

impl<M: MediumImpl> Walk<'_, M> {
    /// Walks; an error names the path from the root.
    pub(crate) fn run(&self) -> Result<Reached> {
        let mut running = self.start(None);
        match running.run() {
            Ok(()) => self.check_journal(&running.reached).map(|()| running.reached),
            Err(bad) => {
                let (links, bytes) = (running.links, running.reached.bytes);
                drop(running);
                let place = path::to(self, bad.place, links, bytes);
                let offset = match bad.place {
                    Place::Object(at) | Place::Field(_, at) | Place::Link(at) => at,
                };
                Err(Error::damaged(self.medium.path(), place, offset, bad.found, bad.expected))
            }
        }
    }

    fn start<'a>(&'a self, trace: Option<&'a mut path::Trace>) -> Running<'a, M> {
        let range = self.layout.heap()..self.medium.map().len();
        Running {
            walk: self,
            work: Work::new(range.end),
            reached: Reached { blocks: Rebuild::new(range), objects: 0, bytes: 0, rings: Vec::new() },
            holder: Object { at: self.layout.root(), len: self.root.size, info: self.root },
            links: 0,
            trace,
            bad: None,
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
        // Frames of a log say themselves whether they are durable.
        let whole = !matches!(object.info.kind, Kind::Ring);
        let mut at = object.at;
        for cell in cells.cells {
            self.medium.announce_durable(at, cell - at);
            if !self.overlay.has(cell) {
                self.medium.announce(cell, 8);
            }
            at = cell + 8;
        }
        if whole {
            self.medium.announce_durable(at, object.at + object.len - at);
        }
    }

    /// Where a link leads is a place for an object of its type.
    fn check_target(&self, Task { at, slot, info }: Task) -> Result<(), Box<Bad>> {
        let len = self.medium.map().len();
        let bad = |found: String, expected: String| Err(Bad::new(Place::Link(slot), found, expected));
        if at > len {
            return bad(format!("a link to {at:#x}, {PAST_THE_END}"), format!("one into its {len:#x} bytes"));
        }
        let align = block::object_align(info);
        let first = self.layout.heap() + block::HEADER;
        if at < first || at & (align - 1) != 0 {
            return bad(
                format!("a link to {at:#x}"),
                format!("a multiple of {align} from {first:#x} to {len:#x}"),
            );
        }
        Ok(())
    }

    /// Checks the header of an object of type `info` at `at`, to which what is at `place` leads.
    fn check_header(&self, place: Place, at: usize, info: &'static TypeInfo) -> Result<Object, Box<Bad>> {
        let map = self.medium.map();
        self.medium.announce(at - block::HEADER, block::HEADER);
        let words = object::read_header(map, at);
        let bad = |found: String, expected: String| Err(Bad::new(place, found, expected));
        let Some(header) = Header::decode(words, at) else {
            let header = at - block::HEADER;
            return bad(
                format!("no block header at {header:#x}: {:#018x} {:#018x}", words[0], words[1]),
                format!("the header of a {}", info.display_name()),
            );
        };
        if header.fingerprint != info.fingerprint {
            return bad(
                format!("an object with fingerprint {:#014x} at {at:#x}", header.fingerprint),
                format!("{:#014x}, a {}", info.fingerprint, info.display_name()),
            );
        }
        let room = map.len() - at;
        match info.byte_len(header.count) {
            Some(len) if len <= room => Ok(Object { at, len, info }),
            _ if !info.counted() && header.count != 1 => bad(
                format!("a block header for {} elements at {at:#x}", header.count),
                format!("1, because {} is no slice", info.display_name()),
            ),
            _ => bad(
                format!("{} elements at {at:#x}, {PAST_THE_END}", header.count),
                format!("a count that fits into {room} bytes"),
            ),
        }
    }

    /// Each journal entry hits a link or word of a reachable object, or lies in heap that nothing reaches.
    fn check_journal(&self, reached: &Reached) -> Result<()> {
        let heap = self.layout.heap()..self.medium.map().len();
        let unreached =
            |at: usize| at.is_multiple_of(8) && heap.contains(&at) && !reached.blocks.is_covered(at);
        match self.overlay.not_hit().find(|&(at, _)| !unreached(at)) {
            None => Ok(()),
            Some((at, record)) => Err(Error::damaged(
                self.medium.path(),
                "journal",
                record,
                format!("an entry for {at:#x}"),
                "the offset of a link or word of a reachable object",
            )),
        }
    }
}

impl<M: MediumImpl> Running<'_, M> {
    fn run(&mut self) -> Result<(), Box<Bad>> {
        let root = self.holder;
        let root = self.walk.check_header(Place::Object(root.at), root.at, root.info)?;
        self.visit(root)?;
        while let Some(task) = self.next() {
            let object = match task.waited() {
                Some(kind) => self.found_again(task.at, kind)?,
                None => self.follow(task)?,
            };
            self.visit(object)?;
            if self.trace.as_ref().is_some_and(|trace| trace.is_complete()) {
                break;
            }
        }
        Ok(())
    }

    /// What is to be done next.
    #[inline]
    fn next(&mut self) -> Option<Task> {
        if self.work.is_batch_done() {
            let batch = self.work.next_batch();
            fetch(self.walk.medium.map(), &self.reached.blocks, batch);
        }
        self.work.pop()
    }

    /// The object that a link leads to, which nothing else did.
    fn follow(&mut self, task: Task) -> Result<Object, Box<Bad>> {
        self.walk.check_target(task)?;
        let object = self.walk.check_header(Place::Link(task.slot), task.at, task.info)?;
        match self.reached.blocks.adopt(object.at, object.len, object.info.align) {
            Ok(()) => Ok(object),
            Err(expected) => {
                let Object { at, len, info } = object;
                let found = format!("a link to {at:#x}, {} of {len} bytes", info.display_name());
                Err(Bad::new(Place::Link(task.slot), found, expected))
            }
        }
    }

    /// Makes room in the worklist: the oldest links are followed, and what they lead to waits as one bit.
    #[cold]
    fn spill(&mut self) -> Result<(), Box<Bad>> {
        for index in 0..work::SPILLED {
            if index.is_multiple_of(work::BATCH) {
                let batch = self.work.waiting(index..index + work::BATCH);
                fetch(self.walk.medium.map(), &self.reached.blocks, batch);
                black_box(batch.iter().fold(0, |all, task| all ^ self.work.peek(task.at)));
            }
            let task = self.work.waiting(index..index + 1)[0];
            if task.waited().is_none() {
                let object = self.follow(task)?;
                self.work.wait(object.at, object.info);
            } else {
                self.work.wait_again(task);
            }
        }
        self.work.forget_spilled();
        Ok(())
    }

    /// An object that waited as a bit: its type is in its header.
    fn found_again(&mut self, at: usize, kind: usize) -> Result<Object, Box<Bad>> {
        let words = object::read_header(self.walk.medium.map(), at);
        let fingerprint = Header::decode(words, at).map(|header| header.fingerprint);
        let info = fingerprint.and_then(|fingerprint| self.work.types.get(fingerprint, kind));
        let Some(info) = info else {
            let expected = "the header that was there before: something else writes to the region";
            return Err(Bad::new(Place::Object(at), "another block header", expected));
        };
        self.walk.check_header(Place::Object(at), at, info)
    }

    /// Checks an object's bytes and words, and notes its links.
    fn visit(&mut self, object: Object) -> Result<(), Box<Bad>> {
        self.reached.objects += 1;
        self.reached.bytes += block::extent_len(object.len) as u64;
        self.holder = object;
        if M::OBSERVED {
            self.walk.announce(object);
        }
        let map = self.walk.medium.map();
        // SAFETY: nothing writes while the walk runs; see the module.
        let bytes = unsafe { map.bytes(object.at, object.len) };
        let valid = (object.info.visit)(bytes, &mut Visitor::new(self));
        if let Some(bad) = self.bad.take() {
            return Err(bad);
        }
        if !valid {
            let (at, part) = object.info.invalid_in(bytes);
            let len = if part.counted() { bytes.len() } else { part.size };
            let found = format!("bytes {:02x?}", &bytes[at..at + len.min(32)]);
            let expected = format!("a valid {}", part.display_name());
            return Err(Bad::new(Place::Field(object, object.at + at), found, expected));
        }
        if matches!(object.info.kind, Kind::Ring) {
            self.reached.rings.push(self.walk.ring(object)?);
        }
        Ok(())
    }

    /// The offset of a link or word, and its value through the overlay.
    #[inline]
    fn read(&self, address: usize) -> (usize, u64) {
        let map = self.walk.medium.map();
        let at = address - map.address();
        if self.walk.flush {
            self.walk.medium.flush_word(at, self.walk.origin);
        }
        (at, self.walk.overlay.get(at).unwrap_or_else(|| map.load(at)))
    }
}

/// Brings the headers of these objects into the cache, and what the walk notes of them, all at once: the loads
/// don't depend on each other, so that they wait together. Prefetch instructions would do as well if they were not
/// dropped where the CPU has to look up a page's address, which is nearly everywhere in a large region (measured on
/// Zen 4 in a virtual machine).
#[inline]
fn fetch(map: &Map, blocks: &Rebuild, tasks: &[Task]) {
    let inside = |task: &&Task| task.at >= block::HEADER && task.at < map.len() && task.at.is_multiple_of(8);
    black_box(
        tasks
            .iter()
            .filter(inside)
            .fold(0, |all, task| all ^ map.load(task.at - block::HEADER) ^ blocks.peek(task.at)),
    );
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

impl<M: MediumImpl> Cells for Running<'_, M> {
    fn link(&mut self, address: usize, info: &'static TypeInfo) {
        let (slot, offset) = self.read(address);
        if offset == 0 || self.bad.is_some() {
            return;
        }
        let task = Task { at: slot.wrapping_add(offset as usize), slot, info };
        if let Some(trace) = &mut self.trace {
            trace.note(self.links, task, self.holder);
        }
        self.links += 1;
        if self.work.is_full()
            && let Err(bad) = self.spill()
        {
            self.bad = Some(bad);
            return;
        }
        self.work.push(task);
    }

    fn word(&mut self, address: usize, valid: fn(u64) -> bool) {
        let (at, value) = self.read(address);
        if !valid(value) && self.bad.is_none() {
            let place = Place::Field(self.holder, at);
            self.bad = Some(Bad::new(place, format!("{value:#018x}"), "a valid value with zeros above it"));
        }
    }
}
