//! What a transaction appends to logs and truncates of them, and how it is committed.
//!
//! Records are staged in DRAM and copied into the ring at commit, as one frame for each log. If a transaction
//! changes nothing else, its frame's checksum publishes it: payload, checksum, flush, *one* fence. Otherwise
//! the frame is written without its checksum before the covering fence, and the checksum is one of the words
//! of the commit's record. Truncations are words like any other. `persistent/ring.rs` has the format.

use super::Tx;
use super::commit::Engine;
use super::journal::{Change, Rule};
use crate::error::{Error, Result};
use crate::medium::{Map, Medium, MediumImpl, Origin};
use crate::persistent::ring::*;
use std::ops::Range;
use std::panic::Location;

/// The logs that a transaction changes. Its buffers are kept.
#[derive(Debug, Default)]
pub(crate) struct Staging {
    rings: Vec<Staged>,
    /// Records, each with its ring's place in `rings`.
    records: Vec<(usize, Range<usize>)>,
    bytes: Vec<u8>,
    /// Scratch: a batch.
    batch: Vec<u8>,
}

/// What a transaction does to one log.
#[derive(Debug)]
struct Staged {
    /// Offset of the ring.
    at: usize,
    capacity: u64,
    /// Where the records end that stay, and the number of the next.
    kept: u64,
    kept_next: u64,
    /// Records that are appended, and their bytes in a batch.
    count: u64,
    batch: usize,
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
    /// Offset of the frame at a position.
    fn offset(&self, position: u64) -> usize {
        self.at + RING_HEADER + (position % self.capacity) as usize
    }

    fn load(&self, map: &Map, word: usize) -> u64 {
        map.load(self.at + word)
    }

    /// The first position at or after this one that lies at the ring's start.
    fn lap(&self, position: u64) -> u64 {
        position.next_multiple_of(self.capacity)
    }

    fn body(&self, count: u64, batch: usize, last: usize) -> usize {
        if count == 1 { last } else { batch }
    }

    /// Where a frame of `len` bytes goes: behind all that is durable now, in one piece.
    fn place(&self, map: &Map, tail: u64, len: u64) -> Option<u64> {
        let room = self.capacity - tail % self.capacity;
        let position = if len <= room { tail } else { tail + room };
        (position + len <= self.load(map, HEAD) + self.capacity).then_some(position)
    }
}

impl Staging {
    pub(crate) fn is_empty(&self) -> bool {
        self.rings.is_empty()
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        if self.is_empty() {
            return;
        }
        self.rings.clear();
        self.records.clear();
        self.bytes.clear();
    }

    fn find(&mut self, map: &Map, at: usize, ring: &Ring, origin: Origin) -> usize {
        let found = self.rings.iter().position(|staged| staged.at == at);
        found.unwrap_or_else(|| {
            self.rings.push(Staged {
                at,
                capacity: ring.capacity() as u64,
                kept: map.load(at + TAIL),
                kept_next: map.load(at + NEXT),
                count: 0,
                batch: 0,
                cut: false,
                shortened: None,
                doomed: false,
                frame: None,
                epoch: 0,
                origin,
            });
            self.rings.len() - 1
        })
    }

    /// Stages a record; its number.
    fn append(&mut self, map: &Map, index: usize, record: &[u8]) -> Result<u64> {
        let staged = &mut self.rings[index];
        let batch = staged.batch + batch_len(record.len());
        let body = staged.body(staged.count + 1, batch, record.len());
        let tail = staged.load(map, TAIL);
        let fits = u32::try_from(batch).is_ok() && staged.place(map, tail, frame_len(body) as u64).is_some();
        if !fits {
            return Err(Error::LogFull {
                needed: frame_len(body) as u64,
                used: tail - staged.load(map, HEAD),
                capacity: staged.capacity,
            });
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(record);
        self.records.push((index, start..self.bytes.len()));
        (staged.batch, staged.count) = (batch, staged.count + 1);
        Ok(staged.kept_next + staged.count - 1)
    }

    /// Forgets staged records from this number on.
    fn unstage(&mut self, index: usize, from: u64) {
        while self.rings[index].count > 0 && self.rings[index].kept_next + self.rings[index].count > from {
            let last = self.records.iter().rposition(|record| record.0 == index).expect("it is counted");
            let (_, range) = self.records.remove(last);
            self.rings[index].count -= 1;
            self.rings[index].batch -= batch_len(range.len());
        }
    }

    /// The kind and body of a ring's frame.
    fn body(&mut self, index: usize) -> (FrameKind, &[u8]) {
        let mut records = self.records.iter().filter(|record| record.0 == index);
        if self.rings[index].count == 1 {
            let range = records.next().expect("it is counted").1.clone();
            return (FrameKind::Single, &self.bytes[range]);
        }
        self.batch.clear();
        records.for_each(|(_, range)| push_record(&mut self.batch, &self.bytes[range.clone()]));
        (FrameKind::Batch, &self.batch)
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
    pub(super) fn prepare_frames<M: Medium>(&mut self, medium: &M) {
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
            let tail = staged.load(map, TAIL);
            let view = |word: usize| self.pending.get(at + word).unwrap_or_else(|| map.load(at + word));
            if empty && view(FIRST) == staged.kept_next && (staged.cut || view(HEAD) != map.load(at + HEAD)) {
                // Nothing is left: the next frame finds the whole ring before it.
                let (start, cut, next) = (staged.lap(tail), staged.cut, staged.kept_next);
                self.pending.set(at + HEAD, start, origin);
                self.pending.set(at + HEAD_SEQ, next, origin);
                if cut {
                    self.pending.set(at + CUT, start, origin);
                }
                self.rings.rings[index].kept = start;
            }
            let staged = &self.rings.rings[index];
            let head = self.pending.get(at + HEAD).unwrap_or_else(|| map.load(at + HEAD));
            if let Some(position) = staged.shortened.filter(|&position| position < head) {
                // A record must not store where nothing of the log is any more: the next frame may lie there.
                let frame = staged.offset(position);
                [frame, frame + 8].into_iter().for_each(|at| self.pending.set(at, map.load(at), origin));
            }
            if empty {
                continue;
            }
            let last = self.rings.records.iter().rfind(|record| record.0 == index).map_or(0, |r| r.1.len());
            let staged = &mut self.rings.rings[index];
            let len = frame_len(staged.body(staged.count, staged.batch, last)) as u64;
            let from = if medium.leaves_out(Rule::FrameBehind) { staged.kept } else { tail };
            staged.frame = Some(staged.place(map, from, len).expect("there was room when it was staged"));
            // Nothing is looked up any more once the changes are settled.
            let epoch = self.pending.get(at + EPOCH).unwrap_or_else(|| map.load(at + EPOCH));
            staged.epoch = epoch;
            let staged = &self.rings.rings[index];
            if staged.kept != from {
                // What was truncated is still there if the commit fails, so the frame lies behind it.
                let meta = skip(staged.kept, from, epoch);
                let frame = frame(medium, self.layout.region_id, at, staged.kept, staged.kept_next);
                let offset = staged.offset(staged.kept);
                self.pending.set(offset, frame.checksum(meta, &[]), origin);
                self.pending.set(offset + 8, meta, origin);
            }
        }
    }

    /// How many frames there are whose checksums publish them, and whether nothing else is to be published.
    pub(super) fn count_frames(&self, words: usize) -> (usize, bool) {
        let frames = self.rings.rings.iter().filter(|staged| staged.frame.is_some());
        let published = frames.filter(|staged| !self.is_owned(staged.at)).count();
        (published, published == 1 && words == 0)
    }

    /// Writes and flushes the frames. Their checksums too where nothing else publishes them; otherwise these
    /// are added to the changes.
    pub(super) fn write_frames<M: Medium>(&mut self, medium: &M, alone: bool) {
        let map = medium.map();
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
                false => staged.load(map, TAIL),
            };
            let (offset, skipped) = (staged.offset(position), staged.offset(tail));
            let frame = |position| frame(medium, self.layout.region_id, at, position, sequence);
            if position != tail {
                // It leads to the start of the ring, and says nothing else: it may be there without the frame.
                let meta = skip(tail, position, epoch);
                medium.store(skipped + 8, meta, origin);
                medium.store(skipped, frame(tail).checksum(meta, &[]), origin);
                medium.flush_line(map.pointer(skipped).as_ptr(), origin);
            }
            let frame = frame(position);
            let (kind, body) = self.rings.body(index);
            let meta = Meta { kind, len: body.len() as u32, epoch }.encode();
            let checksum = frame.checksum(meta, body);
            medium.store(offset + 8, meta, origin);
            let mut to = offset + FRAME_HEADER;
            for chunk in body.chunks(8) {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                medium.store(to, u64::from_le_bytes(word), origin);
                to += 8;
            }
            if publish == Publish::InRecord {
                self.pending.changes().push(Change { at: offset, value: checksum, origin });
            } else {
                medium.store(offset, checksum, origin);
            }
            medium.flush(map.pointer(offset).as_ptr(), to - offset, origin);
        }
    }

    /// After the commit: where the next frame goes.
    pub(super) fn move_tails<M: Medium>(&mut self, medium: &M) {
        let last_frame = |rings: &Staging, index: usize| {
            let last = rings.records.iter().rfind(|record| record.0 == index).map_or(0, |r| r.1.len());
            let staged = &rings.rings[index];
            frame_len(staged.body(staged.count, staged.batch, last)) as u64
        };
        for index in 0..self.rings.rings.len() {
            let staged = &self.rings.rings[index];
            if staged.doomed {
                continue;
            }
            let tail = match staged.frame {
                Some(position) => position + last_frame(&self.rings, index),
                None => staged.kept,
            };
            let next = staged.kept_next + staged.count;
            for (word, value) in [(TAIL, tail), (NEXT, next)] {
                if staged.load(medium.map(), word) != value {
                    medium.store(staged.at + word, value, staged.origin);
                }
            }
        }
    }
}

fn skip(from: u64, to: u64, epoch: u64) -> u64 {
    Meta { kind: FrameKind::Skip, len: ((to - from) / 8) as u32, epoch }.encode()
}

/// What a frame's checksum says of its place, also for the explorer, which breaks rules.
pub(crate) fn frame<M: MediumImpl>(
    medium: &M,
    region_id: u64,
    ring: usize,
    position: u64,
    sequence: u64,
) -> Frame {
    match medium.leaves_out(Rule::FramePlace) {
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
        let (map, mut engine) = (self.medium.map(), self.engine.borrow_mut());
        engine.check_poison()?;
        let staging = &mut engine.rings;
        let index = staging.find(map, at, ring, Location::caller());
        let first = staging.rings[index].kept_next + staging.rings[index].count;
        for record in records {
            if let Err(error) = staging.append(map, index, record) {
                staging.unstage(index, first);
                return Err(error);
            }
        }
        Ok(first)
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
            let index = engine.rings.find(map, at, ring, origin);
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
        let (index, kept_next, shortened) = {
            let mut engine = self.engine.borrow_mut();
            let index = engine.rings.find(map, at, ring, origin);
            engine.rings.unstage(index, from);
            let staged = &engine.rings.rings[index];
            (index, staged.kept_next, staged.shortened.map(|position| staged.offset(position)))
        };
        if from >= kept_next {
            return Ok(());
        }
        let epoch = map.load(at + EPOCH) + 1;
        if epoch > MAX_EPOCH {
            return Err(Error::Unsupported {
                path: self.medium.path().to_path_buf(),
                what: "this log's back was truncated as often as its records can count; make a new one with `Log::resize`",
            });
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
            let frame = frame(self.medium, engine.layout.region_id, at, position, first);
            let offset = engine.rings.rings[index].offset(position);
            engine.pending.set(offset, frame.checksum(meta, body), origin);
            engine.pending.set(offset + 8, meta, origin);
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
