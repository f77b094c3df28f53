//! [`Staging`]: what a transaction appends to logs and truncates of them, until it commits.
//!
//! Records are staged in DRAM and copied into the ring at commit, as one frame for each log. If a transaction changes
//! nothing else, its frame's checksum publishes it: payload, checksum, flush, *one* fence. Otherwise the frame is written
//! without its checksum, which is one of the words of the commit's record, and what is behind it is content of that.
//! Truncations are words like any other. `format/ring/` has the format.

use super::blocks::Blocks;
use super::collected::{Collected, Listed};
use super::pending::{Pending, Sorted};
use super::writeback::Writeback;
use crate::error::{Error, Result};
use crate::flush::LINE;
use crate::format::block::Extent;
use crate::format::content;
use crate::format::frame::*;
use crate::format::record::Change;
use crate::format::ring::*;
use crate::medium::{Map, Medium};
use crate::observe::{Origin, Rule};
use std::ops::Range;
use zerocopy::IntoBytes;

/// The logs that a transaction changes. Its buffers are kept.
#[derive(Debug)]
pub(crate) struct Staging {
    region_id: u64,
    logs: Vec<Staged>,
    /// The records that are appended to each, as a batch. Buffers beyond `logs` are kept from earlier transactions. They
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
    /// Where the durable records end that this transaction does not truncate, and the number of the next record.
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
    pub(super) fn new(region_id: u64) -> Self {
        Staging { region_id, logs: Vec::new(), batches: Vec::new() }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.logs.clear();
    }

    /// Whether the transaction changes the log whose ring is there.
    #[inline(always)]
    pub(super) fn holds(&self, at: usize) -> bool {
        self.logs.iter().any(|staged| staged.at == at)
    }

    /// The log whose ring is there, which is about to be changed.
    fn change(&mut self, map: &Map, at: usize, ring: &Ring, origin: Origin) -> usize {
        let found = self.logs.iter().position(|staged| staged.at == at);
        let index = found.unwrap_or_else(|| {
            let index = self.logs.len();
            self.logs.push(Staged::new(map, at, ring, origin));
            if index == self.batches.len() {
                self.batches.push(Vec::new());
            }
            index
        });
        self.logs[index].changes += 1;
        index
    }

    /// Begins to append to the log whose ring is there. What is [pushed](Staging::push) counts when the append
    /// [ends](Staging::end_append).
    #[inline(always)]
    pub(super) fn begin_append(&mut self, map: &Map, at: usize, ring: &Ring, origin: Origin) -> Append {
        let index = self.change(map, at, ring, origin);
        let staged = &self.logs[index];
        // Without what an earlier transaction left, or an iterator that panicked.
        self.batches[index].truncate(staged.len);
        Append { index, kept_next: staged.kept_next, count: staged.count, changes: staged.changes }
    }

    #[inline(always)]
    pub(super) fn push(&mut self, append: &mut Append, record: &[u8]) -> Result<()> {
        self.logs[append.index].push(&mut self.batches[append.index], append.count, record)?;
        append.count += 1;
        Ok(())
    }

    #[inline(always)]
    pub(super) fn end_append(&mut self, append: &Append) {
        let staged = &mut self.logs[append.index];
        (staged.len, staged.count) = (self.batches[append.index].len(), append.count);
    }

    /// Whether the transaction has changed the log since this append began.
    #[inline(always)]
    pub(super) fn is_changed(&self, append: &Append) -> bool {
        self.logs[append.index].changes != append.changes
    }

    /// What the transaction has of the log whose ring is there, which it is about to truncate.
    pub(super) fn begin_truncate(&mut self, map: &Map, at: usize, ring: &Ring, origin: Origin) -> Truncate {
        let index = self.change(map, at, ring, origin);
        let staged = &self.logs[index];
        Truncate {
            index,
            kept: staged.kept,
            kept_next: staged.kept_next,
            next: staged.kept_next + staged.count,
            shortened: staged.shortened.map(|position| staged.offset(position)),
        }
    }

    /// Forgets the appended records from this number on.
    pub(super) fn unstage(&mut self, truncate: &Truncate, from: u64) {
        self.logs[truncate.index].unstage(&self.batches[truncate.index], from);
    }

    /// Offset of the frame at a position of this log.
    pub(super) fn offset(&self, truncate: &Truncate, position: u64) -> usize {
        self.logs[truncate.index].offset(position)
    }

    /// The durable records end at the position `kept` now, and `from` is the next number. The frame at `shortened` has
    /// lost its last records.
    pub(super) fn cut(&mut self, truncate: &Truncate, kept: u64, from: u64, shortened: Option<u64>) {
        let staged = &mut self.logs[truncate.index];
        (staged.kept, staged.kept_next, staged.cut, staged.shortened) = (kept, from, true, shortened);
    }

    /// Decides where frames go, and adds the words that truncations need. Before the changes are sorted.
    #[inline(never)]
    pub(super) fn prepare<M: Medium>(
        &mut self,
        medium: &Writeback<'_, M>,
        doomed: &Blocks,
        pending: &mut Pending,
    ) {
        let map = medium.map();
        for (staged, batch) in self.logs.iter_mut().zip(&self.batches) {
            let (at, origin, empty) = (staged.at, staged.origin, staged.count == 0);
            staged.doomed = doomed.hold(at);
            if staged.doomed {
                continue;
            }
            let tail = staged.tail;
            let view = |word: usize| pending.get(at + word).unwrap_or_else(|| map.load(at + word));
            // `HEAD` never changes alone: with `FIRST` if records went from the front, with `EPOCH` if from the back. So
            // it is an entry of a record, which open replays and fences before `settle_rings` destroys the checksum
            // where the next frame goes. A lone `HEAD` that a kill left visible is not replayed: open would destroy the
            // first frame, and a power failure bring back the `HEAD` that leads to it. `count_frames` looks.
            if empty && view(FIRST) == staged.kept_next && (staged.cut || view(HEAD) != map.load(at + HEAD)) {
                // Nothing is left: the next frame finds the whole ring before it.
                let (start, next) = (staged.lap(), staged.kept_next);
                pending.set::<M>(at + HEAD, start, origin);
                pending.set::<M>(at + HEAD_SEQ, next, origin);
                staged.kept = start;
            }
            let head = pending.get(at + HEAD).unwrap_or_else(|| map.load(at + HEAD));
            if let Some(position) = staged.shortened.filter(|&position| position < head) {
                // A record must not store where nothing of the log is any more: the next frame may lie there.
                let frame = staged.offset(position);
                [frame, frame + 8].into_iter().for_each(|at| pending.set::<M>(at, map.load(at), origin));
            }
            if empty {
                continue;
            }
            let (from, room) = match medium.leaves_out(Rule::FrameBehind) {
                true => (staged.kept, staged.before_end(staged.kept)),
                false => (tail, staged.room),
            };
            let position = staged.place(from, room, frame_len(staged.body(batch).1.len()));
            staged.frame = Some(position.expect("there was room when it was staged"));
            // Nothing is looked up any more once the changes are settled.
            let epoch = pending.get(at + EPOCH).unwrap_or_else(|| map.load(at + EPOCH));
            staged.epoch = epoch;
            if staged.kept != from {
                // What was truncated is still there if the commit fails, so the frame lies behind it.
                let meta = skip(staged.kept, from, epoch);
                let frame = Frame {
                    region_id: self.region_id,
                    ring: at,
                    position: staged.kept,
                    sequence: staged.kept_next,
                };
                let frame = frame.without_place_if(medium.leaves_out(Rule::FramePlace));
                let offset = staged.offset(staged.kept);
                pending.set::<M>(offset, frame.checksum(meta, &[]), origin);
                pending.set::<M>(offset + 8, meta, origin);
            }
        }
    }

    /// How many frames there are whose checksums publish them.
    #[inline(never)]
    pub(super) fn count_frames(&self, words: &[Change], owned: &Blocks) -> usize {
        let is_head = |at| self.logs.iter().any(|staged| staged.at + HEAD == at);
        debug_assert!(words.len() != 1 || !is_head(words[0].at), "`HEAD` changes alone");
        let frames = self.logs.iter().filter(|staged| staged.frame.is_some());
        frames.filter(|staged| !owned.hold(staged.at)).count()
    }

    /// Writes and flushes the frames. Their checksums too where nothing else publishes them; otherwise these
    /// are added to the changes, and the frames to the `content` that the record will vouch for, if it can.
    #[inline(never)]
    pub(super) fn write_frames<M: Medium>(
        &self,
        medium: &Writeback<'_, M>,
        owned: &Blocks,
        words: &mut Sorted<'_>,
        publish: PublishedBy,
        mut content: Option<&mut Collected>,
    ) {
        for (staged, batch) in self.logs.iter().zip(&self.batches) {
            let Some(position) = staged.frame else { continue };
            let publish = match () {
                () if owned.hold(staged.at) => PublishedBy::WithItsBlock,
                () if medium.leaves_out(Rule::FrameInRecord) => PublishedBy::Alone,
                () => publish,
            };
            let (origin, sequence, epoch) = (staged.origin, staged.kept_next, staged.epoch);
            let at = staged.at;
            let tail = match medium.leaves_out(Rule::FrameBehind) {
                true => staged.kept,
                false => staged.tail,
            };
            let (offset, skipped) = (staged.offset(position), staged.offset(tail));
            // What the record vouches for: the frame behind its checksum, and the skip that leads to it.
            let mut list = |start: usize, first: u64, rest: &[u8]| {
                let content = content.as_deref_mut().filter(|_| publish == PublishedBy::InRecord)?;
                if medium.leaves_out(Rule::FrameListed) {
                    return Some(Listed::in_vain());
                }
                let hash = || content::hash(self.region_id, start, first, rest);
                Some(medium.list(content, Extent { start, len: 8 + rest.len() }, hash))
            };
            let frame = |position| {
                Frame { region_id: self.region_id, ring: at, position, sequence }
                    .without_place_if(medium.leaves_out(Rule::FramePlace))
            };
            if position != tail {
                // It leads to the start of the ring, and says nothing else: it may be there without the frame. Not the frame
                // without it, which nothing would lead to.
                let meta = skip(tail, position, epoch);
                let checksum = frame(tail).checksum(meta, &[]);
                medium.store(skipped + 8, meta, origin);
                medium.store(skipped, checksum, origin);
                let listed = list(skipped, checksum, meta.as_bytes());
                medium.flush_listed(listed, skipped, FRAME_HEADER, origin);
            }
            let (kind, body) = staged.body(batch);
            let meta = Meta { kind, len: body.len() as u32, epoch }.encode();
            let end = offset + FRAME_HEADER + body.len();
            medium.store(offset + 8, meta, origin);
            medium.store_bytes(offset + FRAME_HEADER, body, origin);
            let listed = list(offset + 8, meta, body);
            // The other lines are on their way while the checksum is computed.
            let second_line = (offset / LINE + 1) * LINE;
            if end > second_line {
                medium.flush_listed(listed, second_line, end - second_line, origin);
            }
            let checksum = frame(position).checksum(meta, body);
            if publish == PublishedBy::InRecord {
                words.add::<M>(offset, checksum, origin);
            } else {
                medium.store(offset, checksum, origin);
            }
            medium.flush_listed(listed, offset, FRAME_HEADER, origin);
        }
    }

    /// The frames that are not in the transaction's own blocks, each as the bytes that it and its skip take.
    pub(super) fn frames<'a>(&'a self, owned: &'a Blocks) -> impl Iterator<Item = [Range<usize>; 2]> + 'a {
        let logs = self.logs.iter().zip(&self.batches).filter(|(staged, _)| !owned.hold(staged.at));
        logs.filter_map(|(staged, batch)| {
            let frame = staged.offset(staged.frame?);
            let tail = staged.offset(staged.tail);
            let skip = if tail == frame { tail..tail } else { tail..tail + FRAME_HEADER };
            Some([frame..frame + FRAME_HEADER + staged.body(batch).1.len(), skip])
        })
    }

    /// What of them a record vouches for: all but a frame's checksum, which is a word of the record.
    pub(super) fn content<'a>(&'a self, owned: &'a Blocks) -> impl Iterator<Item = Range<usize>> + 'a {
        let parts = self.frames(owned).flat_map(|[frame, skip]| [frame.start + 8..frame.end, skip]);
        parts.filter(|part| !part.is_empty())
    }

    /// After the commit: where the next frame goes, and where some of the records lie.
    #[inline(never)]
    pub(super) fn move_tails<M: Medium>(&self, medium: &Writeback<'_, M>) {
        let logs = self.logs.iter().zip(&self.batches);
        for (staged, batch) in logs.filter(|(staged, _)| !staged.doomed) {
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

/// An append under way.
pub(super) struct Append {
    index: usize,
    kept_next: u64,
    /// How many records are appended, with those of before.
    count: u64,
    changes: u64,
}

impl Append {
    /// Number of the next record.
    #[inline(always)]
    pub(super) fn next(&self) -> u64 {
        self.kept_next + self.count
    }
}

/// What a transaction had of a log before it truncates it.
pub(super) struct Truncate {
    index: usize,
    /// Where the durable records end that stay, and the number of the next.
    pub kept: u64,
    pub kept_next: u64,
    /// Number of the next record, with those that are appended.
    pub next: u64,
    /// Offset of the frame that has lost its last records already.
    pub shortened: Option<usize>,
}

/// How the frames of a commit are published.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PublishedBy {
    /// By its checksum, and nothing else is.
    Alone,
    /// Its checksum is an entry of the record.
    InRecord,
    /// It lies in a block that nothing reaches yet.
    WithItsBlock,
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

fn skip(from: u64, to: u64, epoch: u64) -> u64 {
    Meta { kind: FrameKind::Skip, len: ((to - from) / 8) as u32, epoch }.encode()
}
