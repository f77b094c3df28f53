//! What a transaction appends to logs and truncates of them, and how it is committed.
//!
//! Records are staged in DRAM and copied into the ring at commit, as one frame for each log. If a transaction
//! changes nothing else, its frame's checksum publishes it: payload, checksum, flush, *one* fence. Otherwise
//! the frame is written without its checksum before the covering fence, and the checksum is one of the words
//! of the commit's record. Truncations are words like any other. `format/ring/` has the format.

use super::Tx;
use super::commit::Engine;
use super::writeback::Writeback;
use crate::error::{Error, Result};
use crate::flush::LINE;
use crate::format::frame::*;
use crate::format::ring::*;
use crate::link::Link;
use crate::medium::{Map, Medium};
use crate::observe::Origin;
use crate::observe::Rule;
use std::panic::Location;

/// The logs that a transaction changes. Its buffers are kept.
#[derive(Debug, Default)]
pub(crate) struct Staging {
    rings: Vec<Staged>,
    /// The records that are appended to each, as a batch; more of them than `rings` are of earlier transactions. They
    /// stay where they are: a `Vec` that is moved to another place is loaded there while its stores are under way,
    /// and such a load waits for the fence before.
    batches: Vec<Vec<u8>>,
}

/// What a transaction does to one log.
#[derive(Debug)]
struct Staged {
    /// Offset of the ring.
    at: usize,
    capacity: u64,
    /// Where the first record's frame lies.
    head: u64,
    /// End of the durable records.
    tail: u64,
    /// The furthest position at which a frame may end: a capacity behind the head, or where the last lap ends.
    limit: u64,
    /// Bytes from the tail to the end of the ring.
    room: u64,
    /// Where the records end that stay, and the number of the next.
    kept: u64,
    kept_next: u64,
    /// Bytes and number of the records that are appended.
    len: usize,
    count: u64,
    /// How often it was changed.
    changes: u64,
    /// The back was truncated.
    cut: bool,
    /// A frame that lost its last records.
    shortened: Option<u64>,
    /// The commit frees it.
    doomed: bool,
    /// Where its frame goes, and with which epoch.
    frame: Option<u64>,
    epoch: u64,
    origin: Origin,
}

impl Staged {
    fn new(map: &Map, at: usize, ring: &Ring, origin: Origin) -> Self {
        let capacity = ring.capacity() as u64;
        let (head, tail) = (map.load(at + HEAD), map.load(at + TAIL));
        Staged {
            at,
            capacity,
            head,
            tail,
            limit: (head + capacity).min(last_lap_end(capacity)),
            room: capacity - tail % capacity,
            kept: tail,
            kept_next: map.load(at + NEXT),
            len: 0,
            count: 0,
            changes: 0,
            cut: false,
            shortened: None,
            doomed: false,
            frame: None,
            epoch: 0,
            origin,
        }
    }

    /// Offset of the frame at a position.
    fn offset(&self, position: u64) -> usize {
        // Most are at the tail.
        let before_end = if position == self.tail { self.room } else { self.before_end(position) };
        self.at + RING_HEADER + (self.capacity - before_end) as usize
    }

    /// Bytes from a position to the end of the ring.
    fn before_end(&self, position: u64) -> u64 {
        self.capacity - position % self.capacity
    }

    /// The first position at or after the tail that lies at the ring's start.
    fn lap(&self) -> u64 {
        self.tail + self.room % self.capacity
    }

    /// Where a frame of `len` bytes goes: at the tail, behind all that is durable now, in one piece.
    fn place(&self, tail: u64, room: u64, len: usize) -> Option<u64> {
        let len = len as u64;
        let position = if len <= room { tail } else { tail + room };
        (position + len <= self.limit).then_some(position)
    }

    /// The kind and the body of its frame.
    fn body<'a>(&self, batch: &'a [u8]) -> (FrameKind, &'a [u8]) {
        let batch = &batch[..self.len];
        match split_record(batch) {
            Some((record, _)) if self.count == 1 => (FrameKind::Single, record),
            _ => (FrameKind::Batch, batch),
        }
    }

    /// Adds a record to the batch, of which it is the one with this index; it counts when `len` and `count`
    /// say so.
    #[inline]
    fn push(&self, batch: &mut Vec<u8>, index: u64, record: &[u8]) -> Result<()> {
        let len = batch.len() + batch_len(record.len());
        let frame = frame_len(if index == 0 { record.len() } else { len });
        let fits = u32::try_from(len).is_ok() && self.place(self.tail, self.room, frame).is_some();
        if !fits || self.kept_next + index >= MAX_NUMBER {
            return Err(self.refused(fits, frame));
        }
        push_record(batch, record);
        Ok(())
    }

    /// Why there is no place for a frame of so many bytes, or no number for its last record if it fits.
    #[cold]
    fn refused(&self, fits: bool, frame: usize) -> Error {
        if fits {
            return Error::UsedUp {
                numbers: "numbers of this log's records",
                last: MAX_NUMBER - 1,
                instead: "begin a new log: `Log::destroy`, then `Log::create`",
            };
        }
        let (needed, used) = (frame as u64, self.tail - self.head);
        let whole = Staged { limit: self.head + self.capacity, ..*self };
        match whole.place(self.tail, self.room, frame).is_some() {
            true => Error::UsedUp {
                numbers: "positions of this log's bytes",
                last: MAX_POSITION,
                instead: "move its records into a new ring with `Log::resize`, where they begin anew",
            },
            false => Error::LogFull { needed, used, capacity: self.capacity },
        }
    }

    /// Forgets appended records from this number on.
    fn unstage(&mut self, batch: &[u8], from: u64) {
        let count = from.saturating_sub(self.kept_next);
        if count < self.count {
            self.len = prefix_of_batch(&batch[..self.len], count);
            self.count = count;
        }
    }
}

impl Staging {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rings.is_empty()
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.rings.clear();
    }

    /// The log whose ring is there, which is about to be changed.
    fn change(&mut self, map: &Map, at: usize, ring: &Ring, origin: Origin) -> usize {
        let found = self.rings.iter().position(|staged| staged.at == at);
        let index = found.unwrap_or_else(|| {
            let index = self.rings.len();
            self.rings.push(Staged::new(map, at, ring, origin));
            if index == self.batches.len() {
                self.batches.push(Vec::new());
            }
            index
        });
        self.rings[index].changes += 1;
        index
    }
}

/// How the frames of a commit are published.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Publish {
    /// By its checksum, and nothing else is.
    Alone,
    /// Its checksum is an entry of the record.
    InRecord,
    /// It lies in a block that nothing reaches yet.
    WithItsBlock,
}

impl Engine {
    /// Decides where frames go, and adds the words that truncations need. Before the changes are sorted.
    #[inline(never)]
    pub(super) fn prepare_frames<M: Medium>(&mut self, medium: &Writeback<'_, M>) {
        let map = medium.map();
        self.sort_owned();
        for index in 0..self.rings.rings.len() {
            let staged = &self.rings.rings[index];
            let (at, origin, empty) = (staged.at, staged.origin, staged.count == 0);
            self.rings.rings[index].doomed = self.is_doomed(at);
            let staged = &self.rings.rings[index];
            if staged.doomed {
                continue;
            }
            let tail = staged.tail;
            let view = |word: usize| self.pending.get(at + word).unwrap_or_else(|| map.load(at + word));
            // `HEAD` never changes alone: with `FIRST` if records went from the front, with `EPOCH` if from the back. So
            // it is an entry of a record, which open replays and fences before `rings::settle` destroys the checksum
            // where the next frame goes. A lone `HEAD` that a kill left visible is not replayed: open would destroy the
            // first frame, and a power failure bring back the `HEAD` that leads to it. `count_frames` looks.
            if empty && view(FIRST) == staged.kept_next && (staged.cut || view(HEAD) != map.load(at + HEAD)) {
                // Nothing is left: the next frame finds the whole ring before it.
                let (start, next) = (staged.lap(), staged.kept_next);
                self.pending.set::<M>(at + HEAD, start, origin);
                self.pending.set::<M>(at + HEAD_SEQ, next, origin);
                self.rings.rings[index].kept = start;
            }
            let staged = &self.rings.rings[index];
            let head = self.pending.get(at + HEAD).unwrap_or_else(|| map.load(at + HEAD));
            if let Some(position) = staged.shortened.filter(|&position| position < head) {
                // A record must not store where nothing of the log is any more: the next frame may lie there.
                let frame = staged.offset(position);
                [frame, frame + 8].into_iter().for_each(|at| self.pending.set::<M>(at, map.load(at), origin));
            }
            if empty {
                continue;
            }
            let staged = &mut self.rings.rings[index];
            let (from, room) = match medium.leaves_out(Rule::FrameBehind) {
                true => (staged.kept, staged.before_end(staged.kept)),
                false => (tail, staged.room),
            };
            let position =
                staged.place(from, room, frame_len(staged.body(&self.rings.batches[index]).1.len()));
            staged.frame = Some(position.expect("there was room when it was staged"));
            // Nothing is looked up any more once the changes are settled.
            let epoch = self.pending.get(at + EPOCH).unwrap_or_else(|| map.load(at + EPOCH));
            staged.epoch = epoch;
            let staged = &self.rings.rings[index];
            if staged.kept != from {
                // What was truncated is still there if the commit fails, so the frame lies behind it.
                let meta = skip(staged.kept, from, epoch);
                let frame = frame(
                    medium.leaves_out(Rule::FramePlace),
                    self.layout.region_id,
                    at,
                    staged.kept,
                    staged.kept_next,
                );
                let offset = staged.offset(staged.kept);
                self.pending.set::<M>(offset, frame.checksum(meta, &[]), origin);
                self.pending.set::<M>(offset + 8, meta, origin);
            }
        }
    }

    /// How many frames there are whose checksums publish them, and whether nothing else is to be published.
    #[inline(never)]
    pub(super) fn count_frames(&self, words: usize) -> (usize, bool) {
        let is_head = |at| self.rings.rings.iter().any(|staged| staged.at + HEAD == at);
        debug_assert!(words != 1 || !is_head(self.pending.changes()[0].at), "`HEAD` changes alone");
        let frames = self.rings.rings.iter().filter(|staged| staged.frame.is_some());
        let published = frames.filter(|staged| !self.is_owned(staged.at)).count();
        (published, published == 1 && words == 0)
    }

    /// Writes and flushes the frames. Their checksums too where nothing else publishes them; otherwise these
    /// are added to the changes.
    #[inline(never)]
    pub(super) fn write_frames<M: Medium>(&mut self, medium: &Writeback<'_, M>, alone: bool) {
        for index in 0..self.rings.rings.len() {
            let staged = &self.rings.rings[index];
            let Some(position) = staged.frame else { continue };
            let publish = match () {
                () if self.is_owned(staged.at) => Publish::WithItsBlock,
                () if alone || medium.leaves_out(Rule::FrameInRecord) => Publish::Alone,
                () => Publish::InRecord,
            };
            let (origin, sequence, epoch) = (staged.origin, staged.kept_next, staged.epoch);
            let at = staged.at;
            let tail = match medium.leaves_out(Rule::FrameBehind) {
                true => staged.kept,
                false => staged.tail,
            };
            let (offset, skipped) = (staged.offset(position), staged.offset(tail));
            let frame = |position| {
                frame(medium.leaves_out(Rule::FramePlace), self.layout.region_id, at, position, sequence)
            };
            if position != tail {
                // It leads to the start of the ring, and says nothing else: it may be there without the frame.
                let meta = skip(tail, position, epoch);
                medium.store(skipped + 8, meta, origin);
                medium.store(skipped, frame(tail).checksum(meta, &[]), origin);
                medium.flush_word(skipped, origin);
            }
            let (kind, body) = staged.body(&self.rings.batches[index]);
            let meta = Meta { kind, len: body.len() as u32, epoch }.encode();
            let end = offset + FRAME_HEADER + body.len();
            medium.store(offset + 8, meta, origin);
            medium.store_bytes(offset + FRAME_HEADER, body, origin);
            // The other lines are on their way while the checksum is computed.
            let second_line = (offset / LINE + 1) * LINE;
            if end > second_line {
                medium.flush(second_line, end - second_line, origin);
            }
            let checksum = frame(position).checksum(meta, body);
            if publish == Publish::InRecord {
                self.pending.add::<M>(offset, checksum, origin);
            } else {
                medium.store(offset, checksum, origin);
            }
            medium.flush_word(offset, origin);
        }
    }

    /// For the explorer: the frames whose checksums are words of the commit, and the skips that lead to them.
    pub(super) fn announce_frames<M: Medium>(&self, medium: &Writeback<'_, M>) {
        for (staged, batch) in self.rings.rings.iter().zip(&self.rings.batches) {
            let Some(position) = staged.frame.filter(|_| !self.is_owned(staged.at)) else { continue };
            let (frame, tail) = (staged.offset(position), staged.offset(staged.tail));
            if tail != frame {
                medium.publishes(tail, FRAME_HEADER, staged.origin);
            }
            // All but the checksum.
            medium.publishes(frame + 8, FRAME_HEADER - 8 + staged.body(batch).1.len(), staged.origin);
        }
    }

    /// After the commit: where the next frame goes, and where some of the records lie.
    #[inline(never)]
    pub(super) fn move_tails<M: Medium>(&mut self, medium: &Writeback<'_, M>) {
        let rings = self.rings.rings.iter().zip(&self.rings.batches);
        for (staged, batch) in rings.filter(|(staged, _)| !staged.doomed) {
            let tail = match staged.frame {
                Some(position) => position + frame_len(staged.body(batch).1.len()) as u64,
                None => staged.kept,
            };
            if staged.cut || tail > medium.map().load(staged.at + NOTE_AT) {
                staged.note_records(medium, batch);
            }
            let next = staged.kept_next + staged.count;
            for (word, value) in [(TAIL, tail), (NEXT, next)] {
                if medium.map().load(staged.at + word) != value {
                    medium.store(staged.at + word, value, staged.origin);
                }
            }
        }
    }
}

impl Staged {
    /// Takes the records that are gone from the samples, and notes some of those that came.
    #[cold]
    #[inline(never)]
    fn note_records<M: Medium>(&self, medium: &Writeback<'_, M>, batch: &[u8]) {
        let store = |word: usize, value| medium.store(self.at + word, value, self.origin);
        let load = |word: usize| medium.map().load(self.at + word);
        let samples = Samples { capacity: self.capacity as usize, load };
        if self.cut {
            samples.forget(self.kept_next, store);
        }
        if let Some(position) = self.frame {
            let (kind, body) = self.body(batch);
            let meta = Meta { kind, len: body.len() as u32, epoch: self.epoch };
            let len = |at: usize| body[at..].first_chunk().map_or(0, |len| u32::from_le_bytes(*len) as usize);
            samples.note((position, self.kept_next), meta, len, store);
        }
    }
}

const CHANGED: &str = "an iterator of records for `append_all` changes the log that they are appended to";

fn skip(from: u64, to: u64, epoch: u64) -> u64 {
    Meta { kind: FrameKind::Skip, len: ((to - from) / 8) as u32, epoch }.encode()
}

/// What a frame's checksum says of its place; `anywhere` for the explorer, which breaks rules.
pub(crate) fn frame(anywhere: bool, region_id: u64, ring: usize, position: u64, sequence: u64) -> Frame {
    match anywhere {
        true => Frame { region_id, ring, position: 0, sequence: 0 },
        false => Frame { region_id, ring, position, sequence },
    }
}

impl<'t, M: Medium> Tx<'t, M> {
    /// Appends these records when the transaction commits, all or none; the number of the first, or of what
    /// would be the next one.
    #[track_caller]
    pub(crate) fn ring_append<'a>(
        &self,
        ring: &'t Ring,
        records: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<u64> {
        let at = self.place(ring.address());
        let (index, first, count, changes) = {
            let mut engine = self.engine.borrow_mut();
            engine.check_poison()?;
            let index = engine.rings.change(self.medium.map(), at, ring, Location::caller());
            let Staging { rings, batches } = &mut engine.rings;
            let staged = &rings[index];
            // Without what an earlier transaction left, or an iterator that panicked.
            batches[index].truncate(staged.len);
            (index, staged.kept_next + staged.count, staged.count, staged.changes)
        };
        // The caller's iterator may use the transaction itself, also when it says that there are no more.
        let mut appended = 0;
        for record in records {
            let mut engine = self.engine.borrow_mut();
            let Staging { rings, batches } = &mut engine.rings;
            if rings[index].changes != changes {
                self.rule(CHANGED);
            }
            rings[index].push(&mut batches[index], count + appended, record)?;
            appended += 1;
        }
        let mut engine = self.engine.borrow_mut();
        let Staging { rings, batches } = &mut engine.rings;
        if rings[index].changes != changes {
            self.rule(CHANGED);
        }
        (rings[index].len, rings[index].count) = (batches[index].len(), count + appended);
        Ok(first)
    }

    /// A rule: the ring that records were appended to is still the log's.
    #[track_caller]
    pub(crate) fn ring_in_place(&self, slot: &'t Link<Ring>, ring: &'t Ring) {
        if self.get(slot).is_none_or(|now| !std::ptr::eq(now, ring)) {
            self.rule(CHANGED);
        }
    }

    /// A rule: the transaction has not changed this ring yet.
    #[track_caller]
    pub(crate) fn ring_untouched(&self, ring: &'t Ring) {
        let at = self.place(ring.address());
        let touched = self.engine.borrow().rings.rings.iter().any(|staged| staged.at == at);
        if touched {
            self.rule("a log is resized after the same transaction appended to it or truncated it");
        }
    }

    /// Removes the records before this number when the transaction commits.
    #[track_caller]
    pub(crate) fn ring_truncate_front(&self, ring: &'t Ring, to: u64) {
        let at = self.place(ring.address());
        let origin = Location::caller();
        let map = self.medium.map();
        let first = self.view(at + FIRST);
        let (kept, kept_next, next) = {
            let mut engine = self.engine.borrow_mut();
            let index = engine.rings.change(map, at, ring, origin);
            let staged = &engine.rings.rings[index];
            (staged.kept, staged.kept_next, staged.kept_next + staged.count)
        };
        let to = to.min(next);
        if to <= first {
            return;
        }
        let (head, sequence) = if to >= kept_next { (kept, kept_next) } else { ring.frame_of(to) };
        self.set_pending(at + HEAD, head, origin);
        self.set_pending(at + HEAD_SEQ, sequence, origin);
        self.set_pending(at + FIRST, to, origin);
    }

    /// Removes the records from this number on when the transaction commits.
    #[track_caller]
    pub(crate) fn ring_truncate_back(&self, ring: &'t Ring, from: u64) -> Result<()> {
        let at = self.place(ring.address());
        let origin = Location::caller();
        let map = self.medium.map();
        let from = from.max(self.view(at + FIRST));
        let epoch = map.load(at + EPOCH) + 1;
        let (index, kept_next, shortened) = {
            let mut engine = self.engine.borrow_mut();
            let index = engine.rings.change(map, at, ring, origin);
            let Staging { rings, batches } = &mut engine.rings;
            let staged = &mut rings[index];
            if from < staged.kept_next && epoch > MAX_EPOCH {
                return Err(Error::UsedUp {
                    numbers: "numbers of this log's truncations at the back",
                    last: MAX_EPOCH,
                    instead: "move its records into a new ring with `Log::resize`, where they begin anew",
                });
            }
            staged.unstage(&batches[index], from);
            (index, staged.kept_next, staged.shortened.map(|position| staged.offset(position)))
        };
        if from >= kept_next {
            return Ok(());
        }
        if let Some(frame) = shortened {
            [frame, frame + 8].into_iter().for_each(|at| self.set_pending(at, map.load(at), origin));
        }
        let (position, first) = ring.frame_of(from);
        let mut kept = position;
        let mut shortened = None;
        if from > first {
            let (meta, body) = ring.frame(position).expect("the record is there");
            let body = &body[..prefix_of_batch(body, from - first)];
            let meta = Meta { len: body.len() as u32, ..meta }.encode();
            let mut engine = self.engine.borrow_mut();
            let frame =
                frame(self.medium.leaves_out(Rule::FramePlace), engine.layout.region_id, at, position, first);
            let offset = engine.rings.rings[index].offset(position);
            engine.pending.set::<M>(offset, frame.checksum(meta, body), origin);
            engine.pending.set::<M>(offset + 8, meta, origin);
            kept += frame_len(body.len()) as u64;
            shortened = Some(position);
        }
        self.set_pending(at + EPOCH, epoch, origin);
        self.set_pending(at + CUT, kept, origin);
        let mut engine = self.engine.borrow_mut();
        let staged = &mut engine.rings.rings[index];
        (staged.kept, staged.kept_next, staged.cut, staged.shortened) = (kept, from, true, shortened);
        Ok(())
    }
}
